"""Trainings that are bit-for-bit reproducible."""

import functools

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop


def make_deterministic():
    """Makes TensorFlow bit-for-bit reproducible across runs, also with several workers.

    TensorFlow's op determinism does not fix the order of long sums: its operation AddN starts with
    the first input whose memory it may reuse, which depends on the progress of other threads. So
    sums of three or more terms are kept as written instead of being fused into an AddN, both in
    graph optimization (a weight, its decay and its momentum) and where gradients of a tensor are
    accumulated.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    # There is no public API for the aggregation of gradients.
    vector_space = backprop._default_vspace._replace(aggregate_fn=_sum_in_order)
    pywrap_tfe.TFE_Py_RegisterVSpace(vector_space)


def _sum_in_order(gradients):
    if all(isinstance(gradient, tf.Tensor) for gradient in gradients):
        return functools.reduce(tf.add, gradients)
    return backprop._default_vspace.aggregate_fn(gradients)
