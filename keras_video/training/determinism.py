"""Trainings that give the same bits in every run."""

import functools

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop


def make_deterministic():
    """Lets TensorFlow compute the same bits in every run of this program, also in several workers.

    TensorFlow's own switch leaves the order of long sums open: its operation AddN begins with the
    first input whose memory it may reuse, which depends on how far other threads are. So sums of
    three and more are left as they are written, and not made into an AddN: where the graph is
    optimized (a weight, its decay and its momentum), and where gradients of a tensor meet.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    # There is no public call for the sum of gradients.
    vector_space = backprop._default_vspace._replace(aggregate_fn=_sum_in_order)
    pywrap_tfe.TFE_Py_RegisterVSpace(vector_space)


def _sum_in_order(gradients):
    if all(isinstance(gradient, tf.Tensor) for gradient in gradients):
        return functools.reduce(tf.add, gradients)
    return backprop._default_vspace.aggregate_fn(gradients)
