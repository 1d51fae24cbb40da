"""Comparison of tensors of any backend."""

import keras
import numpy as np
from keras import ops


def close(ours, theirs, tolerance):
    """Asserts that the largest difference is within `tolerance` of the largest value, or of 1."""
    ours = np.asarray(ops.convert_to_numpy(ours), "float64")
    theirs = np.asarray(ops.convert_to_numpy(theirs), "float64")
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * max(1, np.abs(theirs).max())


def gradients(function, x, kernel):
    """Gradients of the sum of squares of `function` with respect to both arguments."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x, kernel = tf.constant(x), tf.constant(kernel)
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = tf.reduce_sum(function(x, kernel) ** 2)
        return tape.gradient(loss, [x, kernel])
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(lambda *a: ops.sum(function(*a) ** 2), (0, 1))(x, kernel)
    x = ops.convert_to_tensor(x).requires_grad_()
    kernel = ops.convert_to_tensor(kernel).requires_grad_()
    ops.sum(function(x, kernel) ** 2).backward()
    return [x.grad, kernel.grad]
