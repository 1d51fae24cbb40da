"""Reads and prepares clips for trainings on other machines (tf.data.service).

On one machine, the dispatcher:

    keras-video serve-data --port 5000

On as many others as are needed, which see the same files under the same paths:

    keras-video serve-data --dispatcher host:5000 --address "$(hostname):%port%"

The training then reads from `keras_video.data.served_dataset(..., service="grpc://host:5000")`.
"""

from keras_video import data


def define(flags):
    flags.string("dispatcher", None, "host:port; starts a worker instead of a dispatcher")
    flags.string("address", None, "host:%port% by which others reach this worker")
    flags.integer("port", 0, "where to listen; 0 takes a free one", 0, 65535)


def run(options, _):
    if options.dispatcher:
        server = data.serve_worker(options.dispatcher, options.address, options.port)
        print(f"worker of {options.dispatcher}", flush=True)
    else:
        server = data.serve_dispatcher(options.port)
        print(server.target, flush=True)
    server.join()
