"""Computes the optical flow of all videos of a folder (needs OpenCV).

    keras-video prepare flow --videos videos --out flow --method tvl1 --short_side 256

`videos/a/b.mp4` becomes `flow/a/b/x_00001.jpg`, `flow/a/b/y_00001.jpg` and so on. TV-L1 needs
opencv-contrib-python-headless, Farneback's method any OpenCV. An interrupted run resumes where it
stopped. Videos that fail to decode are listed; the exit status is then 1.
"""

import functools

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.flow import METHODS, extract_flow, flow_function
from keras_video.data.prepare.frames import pairs_below


def define(flags):
    flags.string("videos", None, "folder with videos, at any depth", required=True)
    flags.string("out", None, "folder to write to, with a sub-folder per video", required=True)
    flags.choice("method", "tvl1", METHODS, "optical flow algorithm")
    flags.number("bound", 20, "largest motion in pixels; larger values are clipped", 0)
    flags.string("template", "{}_{:05d}.jpg", "file name of a flow image")
    flags.integer("start_index", 1, "number of the first flow image", 0)
    flags.integer("short_side", None, "short side in pixels; original size if not given", 1)
    flags.integer("workers", None, "videos processed in parallel", 1)


def run(options, _):
    logging.set_verbosity(logging.INFO)
    # Fails early if the OpenCV package is missing.
    flow_function(options.method)
    make = functools.partial(
        extract_flow,
        template=options.template,
        method=options.method,
        bound=options.bound,
        start_index=options.start_index,
        short_side=options.short_side,
    )
    done = make_files(
        make, pairs_below(options.videos, options.out, Videos().find), options.workers
    )
    done.log()
    return 1 if done.failed else 0
