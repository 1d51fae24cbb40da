"""`Normalize` for whole batches: one pass over memory instead of four.

Normalized float32 values take four times the memory of uint8 pixels, so examples are batched before
they are normalized. NumPy also allocates huge pages, which is several times faster than the small
pages that TensorFlow allocates.
"""

import math

import numpy as np
import tensorflow as tf

from ..arrays import aligned_empty
from .python_calls import numpy_function

# Values processed at a time; they stay in the cache between the operations.
_BLOCK = 128 * 1024
# Image rows processed as if they were one.
_ROWS = 16


def normalizing(transform):
    """A function that normalizes a batch, with exactly the results of `Normalize`."""

    def finish(batch):
        transform.check_channels(batch)
        if transform.to_bgr:
            batch = tf.reverse(batch, axis=[-1])
        result = numpy_function(compute, [batch], tf.float32, stateful=False)
        return tf.ensure_shape(result, batch.shape)

    def compute(batch):
        return _by_rows(transform, batch)

    return finish


def normalize_array(transform, batch):
    """Normalizes an array, with exactly the results of `Normalize`.

    Only the result is allocated: TensorFlow's operations, and its calls of Python functions outside
    graphs, take up to three times as much memory.
    """
    transform.check_channels(batch)
    return _by_rows(
        transform, np.ascontiguousarray(batch[..., ::-1]) if transform.to_bgr else batch
    )


def _by_rows(transform, batch):
    # Several rows at a time: NumPy has a high overhead per row.
    rows = math.gcd(math.prod(batch.shape[:-2]), _ROWS)
    return normalized(batch, *transform.tiled_factors(rows * batch.shape[-2], batch.shape[-1]))


def normalized(batch, mean, scale):
    """`(batch - mean) * scale`, float32.

    Args:
        batch: array `(..., height, width, channels)`.
        mean, scale: float32 `(rows * width * channels,)`, for that number of image rows.
    """
    rows = batch.reshape(-1, len(mean)) if batch.size else batch.reshape(0, len(mean))
    result = aligned_empty(batch.shape, np.float32)
    target = result.reshape(rows.shape)
    count = max(1, _BLOCK // max(1, len(mean)))
    for start in range(0, len(rows), count):
        block = target[start : start + count]
        block[...] = rows[start : start + count]
        block -= mean
        block *= scale
    return result
