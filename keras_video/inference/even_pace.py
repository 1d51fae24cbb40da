"""Resampling of a video to a constant frame rate."""

import dataclasses

import numpy as np

from keras_video.data.decoding.sequential import frame_rate
from keras_video.data.decoding.videos import open_video

# Maximum frames per second for a variable rate: most screens show no more.
_FASTEST = 60.0


@dataclasses.dataclass(frozen=True, eq=False)
class EvenPace:
    """The frames of a video at a constant frame rate, as returned by `even_pace`.

    Attributes:
        rate: frames per second.
        shown: index of the video's frame that is shown for each output frame, int64, ascending.
        varies: whether the video's own timestamps deviate from this rate.
    """

    rate: float
    shown: np.ndarray
    varies: bool = False

    @property
    def total_frames(self):
        """Number of frames at this rate."""
        return len(self.shown)


def even_pace(path):
    """Maps a video to a constant frame rate.

    A video whose timestamps stay within half a frame of a constant rate is left unchanged. Others
    (phones, screen recordings) get the rate of most of their frames, up to 60 per second: frames
    that are shown longer are repeated, and some frames of faster parts are dropped.

    Args:
        path: a video file.

    Returns:
        An `EvenPace`, whose first frame is shown at 0 seconds.

    Raises:
        DecodeError: if the file cannot be read.
    """
    video = open_video(path)
    times, end = video.times - video.times[0], video.end_time - video.times[0]
    count = len(times)
    if count == 1:
        rate = frame_rate(path)
        return EvenPace(rate, np.zeros(max(1, round(end * rate)), np.int64))
    rate = (count - 1) / times[-1]
    late = np.abs(times - np.arange(count) / rate).max()
    if max(late, end - count / rate) <= 0.5 / rate:
        return EvenPace(rate, np.arange(count))
    rate = min(_usual_rate(np.diff(times)), max(_FASTEST, rate))
    centers = (np.arange(max(1, round(end * rate))) + 0.5) / rate
    return EvenPace(rate, np.searchsorted(times, centers, side="right") - 1, True)


def _usual_rate(intervals):
    """The frame rate of most frames, robust to timestamps rounded to milliseconds."""
    median = np.median(intervals)
    return 1 / intervals[np.abs(intervals / median - 1) < 0.2].mean()
