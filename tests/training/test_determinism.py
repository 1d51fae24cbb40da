"""Reproducible sums: their order may depend on which terms' memory is still in use."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop
from tensorflow.python.framework import config

from keras_video.training.determinism import make_deterministic

TERMS = np.random.default_rng(0).normal(size=(4, 1000)).astype("float32")
HELD = [(), (0,), (0, 1), (1, 2), (0, 1, 2), (0, 1, 2, 3)]


@pytest.fixture
def deterministic():
    make_deterministic()
    yield
    config.disable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})
    pywrap_tfe.TFE_Py_RegisterVSpace(backprop._default_vspace)


def sum_of_terms(held):
    @tf.function
    def compute(terms):
        terms = [term * 1.5 for term in tf.unstack(terms)]
        total = terms[0] + terms[1] + terms[2] + terms[3]
        return total, [terms[number] for number in held]

    return compute(tf.constant(TERMS))[0].numpy()


def sum_of_gradients(held):
    """The gradient of a tensor that is used four times."""

    @tf.function
    def compute(terms, x):
        arrived = []

        @tf.custom_gradient
        def use(x):
            def gradient(upstream):
                arrived.append(upstream * 1.5)
                return arrived[-1]

            return tf.identity(x), gradient

        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.add_n([tf.reduce_sum(use(x) * term) for term in tf.unstack(terms)])
        total = tape.gradient(loss, x)
        return total, [arrived[number] for number in held]

    return compute(tf.constant(TERMS), tf.zeros(1000))[0].numpy()


@pytest.mark.parametrize("total", [sum_of_terms, sum_of_gradients])
def test_a_sum_does_not_depend_on_tensors_in_use(total, deterministic):
    sums = [total(held) for held in HELD]
    for other in sums[1:]:
        np.testing.assert_array_equal(sums[0], other)
    np.testing.assert_allclose(sums[0], 1.5 * TERMS.sum(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("total", [sum_of_terms, sum_of_gradients])
def test_without_the_workaround_a_sum_depends_on_tensors_in_use(total):
    """If this fails, TensorFlow has fixed its sums, and the workaround can be reduced."""
    sums = [total(held) for held in HELD]
    assert any((other != sums[0]).any() for other in sums[1:])


def test_sparse_gradients_are_summed(deterministic):
    table = tf.Variable(np.ones((5, 2), "float32"))
    with tf.GradientTape() as tape:
        rows = [tf.gather(table, [number, 1]) for number in range(3)]
        loss = tf.add_n([tf.reduce_sum(row) for row in rows])
    gradient = tf.convert_to_tensor(tape.gradient(loss, table))
    np.testing.assert_array_equal(gradient[:, 0], [1, 4, 1, 0, 0])
