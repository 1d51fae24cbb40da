"""`Normalize` of whole batches: one pass over memory instead of four.

In a batch the numbers of `Normalize` are four times as large as what they are made from. So
examples are batched before they are normalized; and NumPy asks the system for memory in large
pages, which is had several times faster than the small pages that TensorFlow takes.
"""

import math

import numpy as np
import tensorflow as tf

from ..arrays import aligned_empty
from .python_calls import numpy_function

# Numbers that are worked on at a time: they stay in the cache between the passes over them.
_BLOCK = 128 * 1024
# Lines of a picture that are worked on as if they were one.
_LINES = 16


def normalizing(transform):
    """The function from a batch to what `Normalize` makes of it, the same numbers exactly."""

    def finish(batch):
        transform.check_channels(batch)
        if transform.to_bgr:
            batch = tf.reverse(batch, axis=[-1])
        result = numpy_function(compute, [batch], tf.float32, stateful=False)
        return tf.ensure_shape(result, batch.shape)

    def compute(batch):
        return _by_lines(transform, batch)

    return finish


def normalize_array(transform, batch):
    """What a `Normalize` makes of an array, the same numbers exactly.

    The result is the only memory of its size that is taken: TensorFlow's own operations, and its
    calls of Python functions outside of graphs, take up to three times as much.
    """
    transform.check_channels(batch)
    return _by_lines(
        transform, np.ascontiguousarray(batch[..., ::-1]) if transform.to_bgr else batch
    )


def _by_lines(transform, batch):
    # Several lines at a time: NumPy takes long to go from one to the next.
    together = math.gcd(math.prod(batch.shape[:-2]), _LINES)
    return normalized(batch, *transform.of_line(together * batch.shape[-2], batch.shape[-1]))


def normalized(batch, mean, scale):
    """`(batch - mean) * scale`, float32.

    Args:
        batch: array `(..., height, width, channels)`.
        mean, scale: float32 `(lines * width * channels,)`, for so many lines of a picture.
    """
    lines = batch.reshape(-1, len(mean)) if batch.size else batch.reshape(0, len(mean))
    result = aligned_empty(batch.shape, np.float32)
    target = result.reshape(lines.shape)
    count = max(1, _BLOCK // max(1, len(mean)))
    for start in range(0, len(lines), count):
        block = target[start : start + count]
        block[...] = lines[start : start + count]
        block -= mean
        block *= scale
    return result
