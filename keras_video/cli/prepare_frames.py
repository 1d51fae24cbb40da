"""Writes the frames of all videos of a folder as images.

    python recipes/prepare_frames.py --videos videos --out frames --short_side 256

`videos/a/b.mp4` becomes `frames/a/b/img_00001.jpg` and so on. A run that was broken off goes on
where it was. Videos that do not decode are named; the exit status is then 1.
"""

import argparse
import functools
import sys

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.frames import extract_frames, pairs_below


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--videos", required=True, help="folder with videos, at any depth")
    parser.add_argument("--out", required=True, help="folder for the folders of frames")
    parser.add_argument("--template", default="img_{:05}.jpg", help="file name of a frame")
    parser.add_argument("--start_index", type=int, default=1, help="number of the first frame")
    parser.add_argument("--short_side", type=int, help="pixels; without it the size is kept")
    parser.add_argument("--quality", type=int, default=95, help="of jpg files")
    parser.add_argument("--workers", type=int, help="videos worked on at the same time")
    args = parser.parse_args(arguments)
    logging.set_verbosity(logging.INFO)
    make = functools.partial(
        extract_frames,
        template=args.template,
        start_index=args.start_index,
        short_side=args.short_side,
        quality=args.quality,
    )
    done = make_files(make, pairs_below(args.videos, args.out, Videos().find), args.workers)
    done.log()
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
