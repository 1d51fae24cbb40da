"""Writes the frames of all videos of a folder as images.

    keras-video prepare frames --videos videos --out frames --short_side 256

`videos/a/b.mp4` becomes `frames/a/b/img_00001.jpg` and so on. An interrupted run resumes where it
stopped. Videos that fail to decode are listed; the exit status is then 1.
"""

import functools

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.frames import extract_frames, pairs_below


def define(flags):
    flags.string("videos", None, "folder with videos, at any depth", required=True)
    flags.string("out", None, "folder to write to, with a sub-folder per video", required=True)
    flags.string("template", "img_{:05}.jpg", "file name of a frame")
    flags.integer("start_index", 1, "number of the first frame", 0)
    flags.integer("short_side", None, "short side in pixels; original size if not given", 1)
    flags.integer("quality", 95, "JPEG quality", 1, 100)
    flags.integer("workers", None, "videos processed in parallel", 1)


def run(options, _):
    logging.set_verbosity(logging.INFO)
    make = functools.partial(
        extract_frames,
        template=options.template,
        start_index=options.start_index,
        short_side=options.short_side,
        quality=options.quality,
    )
    done = make_files(
        make, pairs_below(options.videos, options.out, Videos().find), options.workers
    )
    done.log()
    return 1 if done.failed else 0
