"""Inference speed in videos per second, without reading and decoding."""

import statistics
import time
from typing import NamedTuple

import keras
import numpy as np


class Speed(NamedTuple):
    """Measured inference speed.

    Attributes:
        videos_per_second: from the median time per video.
        fastest, slowest: seconds of the fastest and the slowest video.
        videos: number of timed videos.
    """

    videos_per_second: float
    fastest: float
    slowest: float
    videos: int


def measure_speed(model, views, *, score=None, max_views=None, seconds=5.0, least=3):
    """Times a model on synthetic videos, one after the other, from tensors to scores.

    Args:
        model: a classifier with a known input shape.
        views: views per video under the test protocol.
        score: function of a tensor of views that runs the model, such as `compile_frozen(model)`;
            `None` takes `model.predict_on_batch`.
        max_views: views that go through the network at once; `None` for all.
        seconds: minimum time to measure, after a first warm-up video.
        least: minimum number of videos to measure.

    Returns:
        `Speed`.

    Raises:
        ValueError: if a dimension of the model's input shape is unknown, or there are no views.
    """
    shape = model.input_shape[1:]
    if None in shape or views < 1:
        raise ValueError(
            f"input shape {shape}, views={views}: expected known sizes and at least 1 view."
        )
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
