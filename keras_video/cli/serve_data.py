"""Reads and prepares clips for trainings on other machines (tf.data.service).

On one machine, the dispatcher:

    python recipes/serve_data.py --port 5000

On as many others as are needed, which see the same files under the same paths:

    python recipes/serve_data.py --dispatcher host:5000 --address "$(hostname):%port%"

The training then reads from `keras_video.data.served_dataset(..., service="grpc://host:5000")`.
"""

import argparse

from keras_video import data


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dispatcher", help="host:port; starts a worker instead of a dispatcher")
    parser.add_argument("--address", help="host:%%port%% by which others reach this worker")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free one")
    args = parser.parse_args(arguments)
    if args.dispatcher:
        server = data.serve_worker(args.dispatcher, args.address, args.port)
        print(f"worker of {args.dispatcher}", flush=True)
    else:
        server = data.serve_dispatcher(args.port)
        print(server.target, flush=True)
    server.join()


if __name__ == "__main__":
    main()
