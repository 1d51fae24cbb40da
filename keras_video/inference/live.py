"""Live inference: scores after every frame, latency and frames per second."""

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
    """The result for a frame.

    Attributes:
        image: the frame, uint8 RGB `(height, width, 3)`.
        scores: float32 `(classes,)`.
        latency: seconds from the arrival of the frame to its scores.
        rate: frames scored per second, over the latest ones.
    """

    image: np.ndarray
    scores: np.ndarray
    latency: float
    rate: float


class LiveModel:
    """A model that receives a video's frames as they are decoded; warmed up on construction.

    Args:
        model: a causal model, such as `applications.MoViNet(stream=True)` or
            `applications.TSM(online=True)`, that takes single frames and keeps state; any other
            classifier of video frames is run on a clip of the latest frames. With a `protocol`.
        window: number of latest frames whose mean a causal model classifies; `None` for all.
        optimize: "auto" first looks for the fastest equivalent form of a clip model, if that pays
            off for the expected frames; a causal model is never optimized.
        frames_to_come: expected number of frames.

    Raises:
        ValueError: if the model does not take frames.
    """

    def __init__(self, model, *, window=16, optimize="off", frames_to_come=math.inf):
        self._processing = processing_of(single_view(model))
        self._scorer = (
            Stream(model, window=window)
            if is_causal(model)
            else ClipScorer(model, optimize, frames_to_come)
        )
        # The first call compiles the model, the second may optimize it: camera frames should not
        # wait for that.
        for _ in range(2):
            self._scorer(np.zeros(model.input_shape[2:], "float32"))
        self._scorer.reset()

    def __call__(self, image):
        """The scores `(classes,)` after the next frame, uint8 RGB `(height, width, 3)`."""
        frames = self._processing.transformed(image[None])
        return self._scorer(self._processing.normalized(frames)[0])


def live_scores(model, frames, *, rate=None):
    """Yields the scores of a model for a stream of frames.

    Args:
        model: a `LiveModel`.
        frames: iterable of `keras_video.data` `LiveFrame`.
        rate: maximum number of frames per second to score; `None` for all. Models are trained on
            widely spaced frames: a published TSM on about four per second.

    Yields:
        `LiveScores`.

    Raises:
        ValueError: if `rate` is not positive.
    """
    if rate is not None and not rate > 0:
        raise ValueError(f"rate={rate!r}: expected frames per second above 0")
    scored = collections.deque(maxlen=30)
    due = -np.inf
    for frame in frames:
        if frame.arrived < due:
            continue
        if rate:
            # A late frame must not delay the next one by as much.
            due = max(due, frame.arrived - 0.5 / rate) + 1 / rate
        scores = model(frame.image)
        now = time.monotonic()
        scored.append(now)
        pace = (len(scored) - 1) / (scored[-1] - scored[0]) if len(scored) > 1 else 0.0
        yield LiveScores(frame.image, scores, now - frame.arrived, pace)


class ClipScorer:
    """Runs a clip model on the latest frames; at the start the first frame is repeated.

    Args:
        model: a classifier of clips with a known number of frames.
        optimize, frames_to_come: see `LiveModel`.

    Raises:
        ValueError: if the number of frames is not fixed.
    """

    def __init__(self, model, optimize="off", frames_to_come=0):
        self._model, self._optimize, self._to_come = model, optimize, frames_to_come
        frames = model.input_shape[1]
        if frames is None:
            raise ValueError(
                f"The model {model.name!r} takes any number of frames, expected a fixed number."
            )
        self._latest = collections.deque(maxlen=frames)

    def __call__(self, frame):
        """Scores `(classes,)`, float32, after the next normalized frame `(height, width, 3)`."""
        missing = self._latest.maxlen - len(self._latest)
        self._latest.extend([frame] * max(1, missing))
        clip = np.stack(self._latest)[None, None]
        return predict_views(self._model, clip, optimize=self._optimize, to_come=self._to_come)[0]

    def reset(self):
        """Forgets all frames."""
        self._latest.clear()
