"""Reads and prepares clips for trainings on other machines.

On one machine, the dispatcher:

    python recipes/serve_data.py --port 5000 --host 0.0.0.0

On as many others as are needed, which see the same files under the same paths:

    python recipes/serve_data.py --dispatcher host:5000 --host 0.0.0.0 \\
        --address "$(hostname):%port%" --root /data

The training then reads from `keras_video.data.served_dataset(..., service="host:5000")`. Without
`--host`, both serve this machine alone. Whoever reaches a worker can have it
read videos and images.
"""

import argparse

from keras_video import data


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dispatcher", help="host:port; starts a worker instead of a dispatcher")
    parser.add_argument("--address", help="host:%%port%% by which others reach this worker")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 for all")
    parser.add_argument("--root", help="folder outside of which a worker reads nothing")
    args = parser.parse_args(arguments)
    if args.dispatcher:
        server = data.serve_worker(
            args.dispatcher, args.address, args.port, args.host, root=args.root
        )
        while not server.wait():
            print(f"waiting for the dispatcher {args.dispatcher}", flush=True)
        print(f"worker of {args.dispatcher}", flush=True)
    else:
        server = data.serve_dispatcher(args.port, args.host)
        print(server.target, flush=True)
    server.join()


if __name__ == "__main__":
    main()
