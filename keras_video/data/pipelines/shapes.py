"""Examples of one batch have one shape: else an error names the two that differ."""

import tensorflow as tf

from .python_calls import numpy_function
from .transforming import TransformError


def check_shapes(dataset, reader, batch_size):
    """The dataset, which ends with an error at an example of another shape than its batch's.

    Args:
        dataset: of `((pass, epoch, index), (features, label), transformed)`.
        reader: knows the records of the examples.
        batch_size: examples of a batch.

    Raises:
        TransformError: while iterating, wrapped by TensorFlow; it names both examples.
    """
    (_, epoch, index), (features, _), _ = dataset.element_spec
    features = tf.nest.flatten(features)
    if batch_size == 1 or all(spec.shape.is_fully_defined() for spec in features):
        return dataset

    def complain(epoch, index, shape, first_epoch, first_index, first_shape):
        path, first = (
            reader.drawn(*drawn)[0].path for drawn in ((epoch, index), (first_epoch, first_index))
        )
        raise TransformError(
            path,
            f"the transforms make {_text(shape)} of it and {_text(first_shape)} of {first}, the "
            "first of its batch, expected the same shape; end them with a crop or "
            "Resize(size=...), or give batch_size=1",
        )

    def advance(state, element):
        position, first = state
        (_, *example), (values, _), _ = element
        shapes = [tf.shape(value, tf.int64) for value in tf.nest.flatten(values)]
        own = (*example, tf.concat(shapes, axis=0))
        first = tf.cond(tf.equal(position % batch_size, 0), lambda: own, lambda: first)
        same = tf.reduce_all(tf.equal(own[-1], first[-1]))
        fine = tf.cond(
            same,
            lambda: tf.constant(True),
            lambda: numpy_function(complain, [*own, *first], tf.bool),
        )
        with tf.control_dependencies([fine]):
            position = position + 1
        return (position, first), element

    sides = sum(spec.shape.rank for spec in features)
    start = (
        tf.zeros([], tf.int64),
        (
            tf.zeros(epoch.shape, epoch.dtype),
            tf.fill(index.shape, "") if index.dtype == tf.string else tf.zeros([], index.dtype),
            tf.zeros([sides], tf.int64),
        ),
    )
    return dataset.scan(start, advance)


def _text(shape):
    return "x".join(str(side) for side in shape)
