"""Overlap of spans of time."""

import numpy as np


def temporal_iou(first, second):
    """Intersection over union of spans.

    Args:
        first: starts and ends, `(n, 2)`.
        second: starts and ends, `(m, 2)`.

    Returns:
        float64 `(n, m)`; 0 if both spans are points.
    """
    first = np.asarray(first, np.float64).reshape(-1, 2)
    second = np.asarray(second, np.float64).reshape(-1, 2)
    starts = np.maximum(first[:, None, 0], second[None, :, 0])
    ends = np.minimum(first[:, None, 1], second[None, :, 1])
    shared = np.maximum(ends - starts, 0)
    lengths = (first[:, 1] - first[:, 0])[:, None] + (second[:, 1] - second[:, 0])[None]
    union = lengths - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def times_of(spans):
    """Starts and ends of `Span`s, float64 `(n, 2)`."""
    return np.array([(span.start, span.end) for span in spans], np.float64).reshape(-1, 2)


def inside(times, spans):
    """Whether points in time are inside any of the spans: bool `(times,)`."""
    limits, times = times_of(spans), np.asarray(times, np.float64)
    return ((times[:, None] >= limits[:, 0]) & (times[:, None] < limits[:, 1])).any(axis=1)
