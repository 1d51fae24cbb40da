r"""Prepares clips for training on other machines (tf.data service).

On one machine, the dispatcher:

    keras-video serve-data --port 5000 --host 0.0.0.0

On any number of worker machines, which must see the same files under the same paths:

    keras-video serve-data --dispatcher host:5000 --host 0.0.0.0 \
        --address "$(hostname):%port%" --data_root /data

Training then reads from `keras_video.data.served_dataset(..., service="host:5000")`. Without
`--host`, both listen on this machine only. Anyone who can connect to a worker can make it read
videos and images.
"""

from keras_video import data


def define(flags):
    flags.string("dispatcher", None, "host:port of the dispatcher; starts a worker for it")
    flags.string("address", None, "host:%port% at which others reach this worker")
    flags.string("host", "127.0.0.1", "address to listen on; 0.0.0.0 for all interfaces")
    flags.integer("port", 0, "port to listen on; 0 picks a free one", 0, 65535)
    flags.string("data_root", None, "only folder that a worker may read from")


def run(options, _):
    if options.dispatcher:
        server = data.serve_worker(
            options.dispatcher,
            options.address,
            options.port,
            options.host,
            root=options.data_root,
        )
        print(f"worker of {options.dispatcher}", flush=True)
        while not server.wait():
            print(f"waiting for the dispatcher {options.dispatcher}", flush=True)
        server.join()
    else:
        server = data.serve_dispatcher(options.port, options.host)
        print(server.target, flush=True)
        server.join()
