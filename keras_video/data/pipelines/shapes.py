"""Checks that all examples of a batch have the same shape; errors name two that differ."""

import tensorflow as tf

from .python_calls import numpy_function
from .transforming import TransformError


def check_shapes(dataset, reader, batch_size):
    """Makes iteration fail at an example whose shape differs from the first of its batch.

    Args:
        dataset: of `((pass, epoch, index), (features, label), transformed)`.
        reader: the reader of the examples.
        batch_size: examples per batch.

    Raises:
        TransformError: during iteration, wrapped by TensorFlow; it names both examples.
    """
    (_, epoch, index), (features, _), _ = dataset.element_spec
    features = tf.nest.flatten(features)
    if batch_size == 1 or all(spec.shape.is_fully_defined() for spec in features):
        return dataset

    def report_mismatch(epoch, index, shape, first_epoch, first_index, first_shape):
        path, first = (
            reader.drawn(*example)[0].path
            for example in ((epoch, index), (first_epoch, first_index))
        )
        raise TransformError(
            path,
            f"the transforms return shape {_text(shape)} for it and {_text(first_shape)} for "
            f"{first}, the first of its batch, expected the same shape; end them with a crop or "
            "Resize(size=...), or use batch_size=1",
        )

    def advance(state, element):
        position, first = state
        (_, *example), (values, _), _ = element
        shapes = [tf.shape(value, tf.int64) for value in tf.nest.flatten(values)]
        current = (*example, tf.concat(shapes, axis=0))
        first = tf.cond(tf.equal(position % batch_size, 0), lambda: current, lambda: first)
        same = tf.reduce_all(tf.equal(current[-1], first[-1]))
        valid = tf.cond(
            same,
            lambda: tf.constant(True),
            lambda: numpy_function(report_mismatch, [*current, *first], tf.bool),
        )
        with tf.control_dependencies([valid]):
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
