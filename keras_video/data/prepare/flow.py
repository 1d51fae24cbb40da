"""Optical flow between the frames of a video, as pairs of gray images."""

from pathlib import Path

import numpy as np

from keras_video.data.decoding.opencv import import_opencv
from keras_video.data.decoding.sequential import frames_in_order
from keras_video.data.prepare.frames import write_image

METHODS = ("tvl1", "farneback")


def extract_flow(
    video,
    folder,
    template="{}_{:05d}.jpg",
    *,
    method="tvl1",
    bound=20,
    start_index=1,
    short_side=None,
    quality=95,
):
    """Writes the flow from every frame of a video to the next one; needs the extra `opencv`.

    Motions of `-bound` to `bound` pixels are stored as 0 to 255, larger ones are clipped.

    Args:
        video: the file.
        folder: output folder; created if missing.
        template: file name of an image; its first field is "x" or "y", the second the number.
        method: "tvl1" (dual TV-L1, as the published flow rows were trained on; needs the package
            opencv-contrib-python-headless) or "farneback" (about ten times faster).
        bound: largest motion in pixels.
        start_index: number of the first pair.
        short_side: length in pixels that the short side of the frames is resized to first.
        quality: of jpg files, up to 100.

    Returns:
        The number of pairs: one less than the video has frames.

    Raises:
        DecodeError: the video is damaged.
        ModuleNotFoundError: OpenCV, or its contributed modules, are not installed.
        ValueError: for another method.
    """
    opencv = import_opencv()
    flow_between, before, count = flow_function(method), None, 0
    Path(folder).mkdir(parents=True, exist_ok=True)
    for _, frame in frames_in_order(video, short_side=short_side):
        gray = opencv.cvtColor(np.ascontiguousarray(frame), opencv.COLOR_RGB2GRAY)
        if before is not None:
            flow = quantized(flow_between(before, gray), bound)
            for axis, name in enumerate("xy"):
                path = Path(folder, template.format(name, start_index + count))
                write_image(path, flow[..., axis : axis + 1], quality)
            count += 1
        before = gray
    return count


def quantized(flow, bound=20):
    """Motions in pixels as uint8: `-bound` is 0, no motion is 128, `bound` is 255."""
    levels = (np.clip(flow, -bound, bound) + bound) * (255 / (2 * bound))
    return np.floor(levels + 0.5).astype(np.uint8)


def flow_function(method):
    """The function from two gray images to their flow, float32 `(height, width, 2)`."""
    opencv = import_opencv()
    if method == "farneback":
        settings = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3}
        settings |= {"poly_n": 5, "poly_sigma": 1.2, "flags": 0}
        return lambda first, second: opencv.calcOpticalFlowFarneback(
            first, second, None, **settings
        )
    if method != "tvl1":
        raise ValueError(f"received method={method!r}, expected one of {', '.join(METHODS)}")
    if not hasattr(opencv, "optflow"):
        raise ModuleNotFoundError(
            "this OpenCV has no TV-L1: pip install opencv-contrib-python-headless"
        )
    tvl1 = opencv.optflow.DualTVL1OpticalFlow_create()
    return lambda first, second: tvl1.calc(first, second, None)
