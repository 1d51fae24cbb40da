"""A model on frames as they come: scores after every frame, latency and frames per second."""

import collections
import math
import time
from typing import NamedTuple

import numpy as np

from keras_video.data.rows.presets import processing_of
from keras_video.inference.single_view import single_view
from keras_video.inference.stream import Stream, is_causal
from keras_video.inference.views import predict_views


class LiveScores(NamedTuple):
    """What is known after a frame.

    Attributes:
        image: the frame, uint8 RGB `(height, width, 3)`.
        scores: float32 `(classes,)`.
        latency: seconds from the arrival of the frame to its scores.
        rate: frames scored a second, over the latest ones.
    """

    image: np.ndarray
    scores: np.ndarray
    latency: float
    rate: float


class LiveModel:
    """A model that takes a video's frames as they are decoded. Ready when it is made.

    Args:
        model: a causal model, such as `applications.MoViNet(stream=True)` or
            `applications.TSM(online=True)`, that takes frame by frame and keeps its state; any
            other classifier of video frames is run on the latest frames that fill its clip. With a
            `protocol`.
        window: the latest frames whose mean a causal model classifies; `None` for all.
        optimize: "auto" looks for the fastest equal form of a model of clips first, if the frames
            to come are more work than that; a causal model stays as it is.
        frames_to_come: how many there will be.

    Raises:
        ValueError: if the model cannot be fed with frames.
    """

    def __init__(self, model, *, window=16, optimize="off", frames_to_come=math.inf):
        self._processing = processing_of(single_view(model))
        self._scorer = (
            Stream(model, window=window)
            if is_causal(model)
            else ClipScorer(model, optimize, frames_to_come)
        )
        # The first call compiles the model, the second tells whether another form pays: no frame
        # of a camera should wait for that.
        for _ in range(2):
            self._scorer(np.zeros(model.input_shape[2:], "float32"))
        self._scorer.reset()

    def __call__(self, image):
        """The scores `(classes,)` after the next frame, uint8 RGB `(height, width, 3)`."""
        frames = self._processing.transformed(image[None])
        return self._scorer(self._processing.normalized(frames)[0])


def live_scores(model, frames, *, rate=None):
    """Scores a model on frames as they come.

    Args:
        model: a `LiveModel`.
        frames: iterable of `keras_video.data` `LiveFrame`.
        rate: frames a second that the model is shown at most; `None` shows all. Models are trained
            on frames far apart: a published TSM on about four a second.

    Yields:
        `LiveScores`.

    Raises:
        ValueError: if `rate` is not positive.
    """
    if rate is not None and not rate > 0:
        raise ValueError(f"rate={rate!r}: expected frames per second above 0")
    shown = collections.deque(maxlen=30)
    due = -np.inf
    for frame in frames:
        if frame.arrived < due:
            continue
        if rate:
            # A frame that comes late does not put off the next by as much.
            due = max(due, frame.arrived - 0.5 / rate) + 1 / rate
        scores = model(frame.image)
        now = time.monotonic()
        shown.append(now)
        pace = (len(shown) - 1) / (shown[-1] - shown[0]) if len(shown) > 1 else 0.0
        yield LiveScores(frame.image, scores, now - frame.arrived, pace)


class ClipScorer:
    """Runs a model of clips on the latest frames; the first frame stands in for those missing.

    Args:
        model: a classifier of clips with a known number of frames.
        optimize, frames_to_come: see `LiveModel`.

    Raises:
        ValueError: if the number of frames is open.
    """

    def __init__(self, model, optimize="off", frames_to_come=0):
        self._model, self._optimize, self._to_come = model, optimize, frames_to_come
        frames = model.input_shape[1]
        if frames is None:
            raise ValueError(f"The model {model.name!r} takes any number of frames: expected one.")
        self._latest = collections.deque(maxlen=frames)

    def __call__(self, frame):
        """Takes the next normalized frame `(height, width, 3)`; float32 scores `(classes,)`."""
        missing = self._latest.maxlen - len(self._latest)
        self._latest.extend([frame] * max(1, missing))
        clip = np.stack(self._latest)[None, None]
        return predict_views(self._model, clip, optimize=self._optimize, to_come=self._to_come)[0]

    def reset(self):
        """Forgets all frames."""
        self._latest.clear()
