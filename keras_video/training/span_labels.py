"""What a detector of spans learns: the class and the offsets of every point of its pyramid."""

import numpy as np

from keras_video.inference.span_detection import pyramid_points

# Distances, in features, that the levels are for; the last level takes all that are longer.
FIRST_RANGE = 4.0
# Points this many strides around the middle of a span learn it.
CENTER_RADIUS = 1.5
IGNORED = -1.0


def span_targets(spans, length, *, classes, stride=32, valid=None, radius=CENTER_RADIUS):
    """Targets of a sequence of features.

    A point learns a span if it lies in it, at most `radius` strides of its level from the middle,
    and the farther end of the span is as far away as the level is for: up to 4 features for the
    first, from there to 8 for the second, and so on. Of several spans it learns the shortest, and
    the classes of all that are as short.

    Args:
        spans: `[(class, start, end), ...]` in features, with fractions.
        length: of the sequence, a multiple of `stride`.
        classes: number of classes.
        stride: of the coarsest level of the pyramid.
        valid: features that are no padding; None means all.
        radius: see above; None takes all points of a span.

    Returns:
        `{"classes": float32 (points, classes), "offsets": float32 (points, 2)}`: 1 for classes that
        are there, 0 for others, -1 for padding; distances to start and end in strides of the
        level, -1 where there is nothing to learn.

    Raises:
        ValueError: a length that the stride does not divide, or a class out of range.
    """
    if length % stride:
        raise ValueError(f"received length={length}, expected a multiple of stride={stride}")
    wrong = [label for label, _, _ in spans if not 0 <= label < classes]
    if wrong:
        raise ValueError(f"received class {wrong[0]}, expected one in [0, {classes})")
    positions, strides = pyramid_points(length, stride)
    labels = np.zeros((len(positions), classes), np.float32)
    offsets = np.full((len(positions), 2), IGNORED, np.float32)
    padding = positions >= (length if valid is None else valid)
    labels[padding] = IGNORED
    if not len(spans):
        return {"classes": labels, "offsets": offsets}
    kinds = np.array([label for label, _, _ in spans], np.int64)
    limits = np.array([(start, end) for _, start, end in spans], np.float64)
    ends = np.stack([positions[:, None] - limits[:, 0], limits[:, 1] - positions[:, None]], -1)
    fitting = _inside(positions, strides, limits, radius) & _in_range(ends, strides, stride)
    fitting &= ~padding[:, None]
    lengths = np.where(fitting, limits[:, 1] - limits[:, 0], np.inf)
    shortest = lengths.argmin(axis=1)
    least = lengths.min(axis=1)
    learns = np.isfinite(least)
    alike = fitting & (lengths <= least[:, None] + 1e-3)
    for column, kind in enumerate(kinds):
        labels[alike[:, column], kind] = 1
    chosen = ends[np.arange(len(positions)), shortest] / strides[:, None]
    offsets[learns] = chosen[learns]
    return {"classes": labels, "offsets": offsets}


def _inside(positions, strides, limits, radius):
    """Whether points lie in spans, near enough to their middles: bool `(points, spans)`."""
    first, last = limits[:, 0], limits[:, 1]
    if radius is not None:
        middles = (first + last) / 2
        first = np.maximum(first, middles - radius * strides[:, None])
        last = np.minimum(last, middles + radius * strides[:, None])
    return (positions[:, None] > first) & (positions[:, None] < last)


def _in_range(ends, strides, stride):
    farthest = ends.max(axis=-1)
    low = np.where(strides == 1, 0, FIRST_RANGE * strides / 2)
    high = np.where(strides == stride, np.inf, FIRST_RANGE * strides)
    return (farthest >= low[:, None]) & (farthest <= high[:, None])
