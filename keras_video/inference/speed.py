"""How many videos a second a model scores, reading and decoding left out."""

import statistics
import time
from typing import NamedTuple

import keras
import numpy as np


class Speed(NamedTuple):
    """What was measured.

    Attributes:
        videos_per_second: from the median time of a video.
        fastest, slowest: seconds of the fastest and the slowest video.
        videos: how many were timed.
    """

    videos_per_second: float
    fastest: float
    slowest: float
    videos: int


def measure_speed(model, views, *, score=None, max_views=None, seconds=5.0, least=3):
    """Times a model on made-up videos, one after the other, from tensors to scores.

    Args:
        model: a classifier with a known input shape.
        views: views of a video under the test protocol.
        score: function of a tensor of views that runs the model, such as `compile_frozen(model)`;
            `None` takes `model.predict_on_batch`.
        max_views: views that go through the network at once; `None` for all.
        seconds: how long to measure at least, after the first video, which is not counted.
        least: how many videos to measure at least.

    Returns:
        `Speed`.

    Raises:
        ValueError: for a model whose input shape is open, or no views.
    """
    shape = model.input_shape[1:]
    if None in shape or views < 1:
        raise ValueError(f"input shape {shape}, views={views}: expected known sizes and views.")
    pixels = np.random.default_rng(0).normal(size=(views, *shape)).astype("float32")
    score = score or model.predict_on_batch
    limit = max_views or views
    chunks = [
        keras.ops.convert_to_tensor(pixels[start : start + limit])
        for start in range(0, views, limit)
    ]

    def score_video():
        start = time.perf_counter()
        for chunk in chunks:
            score(chunk)
        return time.perf_counter() - start

    score_video()
    times = []
    while len(times) < least or sum(times) < seconds:
        times.append(score_video())
    return Speed(1 / statistics.median(times), min(times), max(times), len(times))
