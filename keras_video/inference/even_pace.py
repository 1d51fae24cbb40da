"""A video at a constant frame rate, whatever its own timestamps are."""

import dataclasses

import numpy as np

from keras_video.data.decoding.sequential import frame_rate
from keras_video.data.decoding.videos import open_video

# Frames per second that a variable rate is brought to at most: screens show no more.
_FASTEST = 60.0


@dataclasses.dataclass(frozen=True, eq=False)
class EvenPace:
    """The frames of a video as a constant frame rate shows them. Made by `even_pace`.

    Attributes:
        rate: frames per second.
        shown: index of the video's frame that is shown at each of these, int64, ascending.
        varies: whether the video's own timestamps follow another rate.
    """

    rate: float
    shown: np.ndarray
    varies: bool = False

    @property
    def total_frames(self):
        """Number of frames at this rate."""
        return len(self.shown)


def even_pace(path):
    """Which frames of a video a constant rate shows.

    A video whose timestamps keep within half a frame of a constant rate is taken as it is. Others
    (phones, screen recordings) get the rate of most of their frames, up to 60 a second: a frame
    that is shown for longer is repeated, and where frames come faster some are left out.

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
    middles = (np.arange(max(1, round(end * rate))) + 0.5) / rate
    return EvenPace(rate, np.searchsorted(times, middles, side="right") - 1, True)


def _usual_rate(intervals):
    """Frames per second where most frames are; timestamps may be rounded to milliseconds."""
    median = np.median(intervals)
    return 1 / intervals[np.abs(intervals / median - 1) < 0.2].mean()
