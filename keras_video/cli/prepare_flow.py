"""Computes the optical flow of all videos of a folder (needs OpenCV).

    python recipes/prepare_flow.py --videos videos --out flow --method tvl1 --short_side 256

`videos/a/b.mp4` becomes `flow/a/b/x_00001.jpg`, `flow/a/b/y_00001.jpg` and so on. TV-L1 needs
opencv-contrib-python-headless, Farneback's method any OpenCV. A run that was broken off goes on
where it was. Videos that do not decode are named; the exit status is then 1.
"""

import argparse
import functools
import sys

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.flow import METHODS, extract_flow, flow_function
from keras_video.data.prepare.frames import pairs_below


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--videos", required=True, help="folder with videos, at any depth")
    parser.add_argument("--out", required=True, help="folder for the folders of images")
    parser.add_argument("--method", choices=METHODS, default="tvl1", help="how flow is computed")
    parser.add_argument("--bound", type=float, default=20, help="greatest motion in pixels")
    parser.add_argument("--template", default="{}_{:05d}.jpg", help="file name of an image")
    parser.add_argument("--start_index", type=int, default=1, help="number of the first pair")
    parser.add_argument("--short_side", type=int, help="pixels; without it the size is kept")
    parser.add_argument("--workers", type=int, help="videos worked on at the same time")
    args = parser.parse_args(arguments)
    logging.set_verbosity(logging.INFO)
    # What is missing is said before the work begins.
    flow_function(args.method)
    make = functools.partial(
        extract_flow,
        template=args.template,
        method=args.method,
        bound=args.bound,
        start_index=args.start_index,
        short_side=args.short_side,
    )
    done = make_files(make, pairs_below(args.videos, args.out, Videos().find), args.workers)
    done.log()
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
