"""Encodes all videos of a folder anew with a smaller short side, so that they load faster.

    python recipes/prepare_resized.py --videos videos --out videos_256 --short_side 256

`videos/a/b.avi` becomes `videos_256/a/b.mp4`, with its sound. A run that was broken off goes on
where it was. Videos that do not decode are named; the exit status is then 1.
"""

import argparse
import functools
import sys

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.frames import pairs_below
from keras_video.data.prepare.resizing import resize_video


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--videos", required=True, help="folder with videos, at any depth")
    parser.add_argument("--out", required=True, help="folder for the new videos")
    parser.add_argument("--short_side", type=int, default=256, help="pixels of the short side")
    parser.add_argument("--quality", type=int, default=20, help="18 (better) to 28 (smaller)")
    parser.add_argument("--keyframe_every", type=int, help="greatest distance of keyframes")
    parser.add_argument("--workers", type=int, help="videos worked on at the same time")
    args = parser.parse_args(arguments)
    logging.set_verbosity(logging.INFO)
    make = functools.partial(
        resize_video,
        short_side=args.short_side,
        quality=args.quality,
        keyframe_every=args.keyframe_every,
    )
    pairs = pairs_below(args.videos, args.out, Videos().find, ".mp4")
    done = make_files(make, pairs, args.workers)
    done.log()
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
