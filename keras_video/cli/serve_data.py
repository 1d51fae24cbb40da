r"""Reads and prepares clips for trainings on other machines.

On one machine, the dispatcher:

    keras-video serve-data --port 5000 --host 0.0.0.0

On as many others as are needed, which see the same files under the same paths:

    keras-video serve-data --dispatcher host:5000 --host 0.0.0.0 \
        --address "$(hostname):%port%" --data_root /data

The training then reads from `keras_video.data.served_dataset(..., service="host:5000")`. Without
`--host`, both serve this machine alone. Whoever reaches a worker can have it read videos and
images.
"""

from keras_video import data


def define(flags):
    flags.string("dispatcher", None, "host:port; starts a worker instead of a dispatcher")
    flags.string("address", None, "host:%port% by which others reach this worker")
    flags.string("host", "127.0.0.1", "address to listen at; 0.0.0.0 for all")
    flags.integer("port", 0, "where to listen; 0 takes a free one", 0, 65535)
    flags.string("data_root", None, "folder outside of which a worker reads nothing")


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
