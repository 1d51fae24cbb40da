"""Devices and machines of a training."""

import tensorflow as tf


def replicas():
    """The strategy that copies the model to every GPU of this machine, or to its CPU."""
    return tf.distribute.MirroredStrategy()
