"""Computes the optical flow of all videos of a folder (needs OpenCV).

    keras-video prepare flow --videos videos --out flow --method tvl1 --short_side 256

`videos/a/b.mp4` becomes `flow/a/b/x_00001.jpg`, `flow/a/b/y_00001.jpg` and so on. TV-L1 needs
opencv-contrib-python-headless, Farneback's method any OpenCV. A run that was broken off goes on
where it was. Videos that do not decode are named; the exit status is then 1.
"""

import functools

from absl import logging

from keras_video.data import Videos
from keras_video.data.parallel import make_files
from keras_video.data.prepare.flow import METHODS, extract_flow, flow_function
from keras_video.data.prepare.frames import pairs_below


def define(flags):
    flags.string("videos", None, "folder with videos, at any depth", required=True)
    flags.string("out", None, "folder for the folders of images", required=True)
    flags.choice("method", "tvl1", METHODS, "how flow is computed")
    flags.number("bound", 20, "greatest motion in pixels", 0)
    flags.string("template", "{}_{:05d}.jpg", "file name of an image")
    flags.integer("start_index", 1, "number of the first pair", 0)
    flags.integer("short_side", None, "pixels; without it the size is kept", 1)
    flags.integer("workers", None, "videos worked on at the same time", 1)


def run(options, _):
    logging.set_verbosity(logging.INFO)
    # What is missing is said before the work begins.
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
