"""Re-encodes all videos of a folder at a smaller size, so that they load faster.

    keras-video prepare resized --videos videos --out videos_256 --short_side 256

`videos/a/b.avi` becomes `videos_256/a/b.mp4`, audio included. An interrupted run resumes where it
stopped. Videos that fail to decode are listed; the exit status is then 1.
"""

import functools

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.frames import pairs_below
from keras_video.data.prepare.resizing import resize_video


def define(flags):
    flags.string("videos", None, "folder with videos, at any depth", required=True)
    flags.string("out", None, "folder for the new videos", required=True)
    flags.integer("short_side", 256, "short side in pixels", 2)
    flags.integer("quality", 20, "x264 CRF: 18 (better quality) to 28 (smaller files)", 0, 51)
    flags.integer("keyframe_every", None, "maximum keyframe interval in frames", 1)
    flags.integer("workers", None, "videos processed in parallel", 1)


def run(options, _):
    logging.set_verbosity(logging.INFO)
    make = functools.partial(
        resize_video,
        short_side=options.short_side,
        quality=options.quality,
        keyframe_every=options.keyframe_every,
    )
    pairs = pairs_below(options.videos, options.out, Videos().find, ".mp4")
    done = make_files(make, pairs, options.workers)
    done.log()
    return 1 if done.failed else 0
