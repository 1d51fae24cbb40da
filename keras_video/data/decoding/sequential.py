"""Sequential decoding of a video, one frame at a time: for videos of any length."""

import os

from av.video.reformatter import VideoReformatter

from .frame_index import usual_rate
from .opening import MAX_PIXELS, decoded, opened
from .videos import DecodeError, to_rgb


def frame_rate(path):
    """Frames per second of a video, on average.

    Raises:
        DecodeError: the file is missing, damaged, or has no video stream.
    """
    with opened(os.fspath(path)) as (_, stream):
        return float(usual_rate(stream))


def frames_in_order(path, indices=None, short_side=None, max_pixels=MAX_PIXELS):
    """Decodes a video once from its start; one frame is in memory at a time.

    Args:
        path: a video file.
        indices: iterable of ascending indices of the frames to yield; None means all. Decoding
            stops after the last of them.
        short_side: see `Video.read`.
        max_pixels: see `open_video`.

    Yields:
        `(index, frame)`: frame `i` as returned by `Video.read`, uint8 `(height, width, 3)`.

    Raises:
        DecodeError: the file is damaged, or ends before the last requested frame.
    """
    path = os.fspath(path)
    indices = None if indices is None else iter(indices)
    following = 0 if indices is None else next(indices, None)
    reformatter, count = VideoReformatter(), 0
    with opened(path, max_pixels) as (container, stream):
        for count, frame in enumerate(decoded(container, stream), start=1):
            if following is None:
                return
            if count - 1 == following:
                yield following, to_rgb(reformatter, short_side, frame)
                following = count if indices is None else next(indices, None)
    if indices is not None and following is not None:
        raise DecodeError(path, "it ends early", int(following), count)
