"""Targets of a span detector: the class and the offsets of every point of its pyramid."""

import numpy as np

from keras_video.inference.span_detection import pyramid_points

# Upper distance of the first pyramid level, in features; the last level has no upper limit.
FIRST_RANGE = 4.0
# Points within this many strides of the center of a span are assigned to it.
CENTER_RADIUS = 1.5
IGNORED = -1.0


def span_targets(spans, length, *, classes, stride=32, valid=None, radius=CENTER_RADIUS):
    """Targets of a sequence of features.

    A point is assigned to a span if it is inside it, at most `radius` strides of its level from the
    center, and the farther end of the span is within the regression range of the level: up to 4
    features for the first, from there to 8 for the second, and so on. Among several spans the
    shortest is chosen, with the classes of all spans that are equally short.

    Args:
        spans: `[(class, start, end), ...]` in features, may be fractional.
        length: of the sequence, a multiple of `stride`.
        classes: number of classes.
        stride: of the coarsest level of the pyramid.
        valid: number of features that are not padding; None means all.
        radius: see above; None for all points of a span.

    Returns:
        `{"classes": float32 (points, classes), "offsets": float32 (points, 2)}`: 1 for present
        classes, 0 for others, -1 for padding; distances to start and end in strides of the level,
        -1 for points without a span.

    Raises:
        ValueError: for a length that the stride does not divide, or a class out of range.
    """
    if length % stride:
        raise ValueError(f"received length={length}, expected a multiple of stride={stride}")
    invalid = [label for label, _, _ in spans if not 0 <= label < classes]
    if invalid:
        raise ValueError(f"received class {invalid[0]}, expected one in [0, {classes})")
    positions, strides = pyramid_points(length, stride)
    labels = np.zeros((len(positions), classes), np.float32)
    offsets = np.full((len(positions), 2), IGNORED, np.float32)
    padding = positions >= (length if valid is None else valid)
    labels[padding] = IGNORED
    if not len(spans):
        return {"classes": labels, "offsets": offsets}
    span_labels = np.array([label for label, _, _ in spans], np.int64)
    limits = np.array([(start, end) for _, start, end in spans], np.float64)
    ends = np.stack([positions[:, None] - limits[:, 0], limits[:, 1] - positions[:, None]], -1)
    matching = _inside(positions, strides, limits, radius) & _in_range(ends, strides, stride)
    matching &= ~padding[:, None]
    lengths = np.where(matching, limits[:, 1] - limits[:, 0], np.inf)
    shortest = lengths.argmin(axis=1)
    minimum = lengths.min(axis=1)
    positive = np.isfinite(minimum)
    assigned = matching & (lengths <= minimum[:, None] + 1e-3)
    for column, label in enumerate(span_labels):
        labels[assigned[:, column], label] = 1
    chosen = ends[np.arange(len(positions)), shortest] / strides[:, None]
    offsets[positive] = chosen[positive]
    return {"classes": labels, "offsets": offsets}


def _inside(positions, strides, limits, radius):
    """Whether points are inside spans and near their centers: bool `(points, spans)`."""
    first, last = limits[:, 0], limits[:, 1]
    if radius is not None:
        centers = (first + last) / 2
        first = np.maximum(first, centers - radius * strides[:, None])
        last = np.minimum(last, centers + radius * strides[:, None])
    return (positions[:, None] > first) & (positions[:, None] < last)


def _in_range(ends, strides, stride):
    farthest = ends.max(axis=-1)
    low = np.where(strides == 1, 0, FIRST_RANGE * strides / 2)
    high = np.where(strides == stride, np.inf, FIRST_RANGE * strides)
    return (farthest >= low[:, None]) & (farthest <= high[:, None])
