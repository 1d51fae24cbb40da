"""Video decoding through OpenCV, for users who want the same pixels as their other tools."""

import os

import numpy as np

from ..shard_paths import is_in_shard
from .frame_index import IndexCache
from .gather_frames import pick
from .opening import MAX_PIXELS, opened
from .videos import DecodeError, open_video

_counts = IndexCache(capacity=20_000)


def open_video_with_opencv(path, max_pixels=MAX_PIXELS):
    """Opens a video with OpenCV. Its frames are counted by grabbing all of them.

    OpenCV's own number of frames is an estimate, and its seeking misses frames if their rate
    varies; so neither is used, and frame `i` is the `i`-th of a decode from start to end. The
    count is cached in the process until the file changes.

    Args:
        path: a video file.
        max_pixels: see `open_video`.

    Returns:
        An `OpenCVVideo`.

    Raises:
        DecodeError: the file is missing, or not a video that OpenCV can decode.
        ModuleNotFoundError: OpenCV is not installed.
    """
    path = os.fspath(path)
    if is_in_shard(path):
        raise DecodeError(path, "decoder='opencv' does not support shards; expected decoder='pyav'")
    import_opencv()
    # OpenCV interprets names as URLs or patterns and follows playlists: PyAV checks files first.
    with opened(path, max_pixels):
        count = _counts.get(path)
    if count is None:
        count = _count_frames(path)
        _counts.put(path, count)
    return OpenCVVideo(path, count)


class OpenCVVideo:
    """A video file read by OpenCV. Returned by `open_video_with_opencv`.

    Attributes:
        path: the file.
        total_frames: number of frames that decoding from start to end yields.
    """

    def __init__(self, path, total_frames):
        self.path, self.total_frames = path, total_frames

    @property
    def times(self):
        """Presentation time of each frame in seconds; see `Video.times`.

        OpenCV shifts timestamps to zero and has none for some files, so they are those that PyAV
        reads. If the two decode different numbers of frames, frames are spread evenly.
        """
        video = open_video(self.path)
        if video.total_frames == self.total_frames:
            return video.times
        return np.linspace(video.times[0], video.end_time, self.total_frames, endpoint=False)

    @property
    def end_time(self):
        """Seconds at which the last frame ends, on the clock of `times`."""
        return open_video(self.path).end_time

    def read(self, indices):
        """Decodes frames: uint8 `(len(indices), height, width, 3)`, RGB; see `Video.read`."""
        return pick(self.path, indices, self.total_frames, self._load)

    def _load(self, indices):
        capture, position = _capture(self.path), 0
        try:
            for index in indices:
                while position < index and capture.grab():
                    position += 1
                success, image = capture.read()
                if not success:
                    raise DecodeError(self.path, "it ends early", index, position)
                position += 1
                yield image[..., ::-1]
        finally:
            capture.release()


def _count_frames(path):
    capture, count = _capture(path), 0
    while capture.grab():
        count += 1
    capture.release()
    if not count:
        raise DecodeError(path, "it holds no frames", frame_count=0)
    return count


def _capture(path):
    opencv = import_opencv()
    # Videos are decoded in parallel: threads inside a decoder only add delay and memory.
    one_thread = [opencv.CAP_PROP_N_THREADS, 1]
    capture = opencv.VideoCapture(f"file:{path}", opencv.CAP_FFMPEG, one_thread)
    if not capture.isOpened():
        raise DecodeError(path, "OpenCV cannot open it")
    return capture


def import_opencv():
    """The module `cv2`.

    Raises:
        ModuleNotFoundError: it is not installed; the message says what to install.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'OpenCV is not installed: pip install "keras-video[opencv]"'
        ) from error
    return cv2
