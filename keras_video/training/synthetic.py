"""Noise in the shapes of a row, for one training step without data."""

import numpy as np
import tensorflow as tf

from keras_video.training.lists import RunLists


def synthetic_lists(row):
    """`RunLists` without lists, with the class names of a row, or a number per class."""
    names = row.class_names or tuple(str(index) for index in range(row.classes or 10))
    return RunLists(None, None, None, names)


def synthetic_batch(row, lists, batch_size, seed=0):
    """One batch of normalized noise with labels, as a `tf.data.Dataset`.

    Labels are class indices, or multi-hot if a row's loss is binary.
    """
    generator = np.random.default_rng(seed)
    clips = generator.standard_normal((batch_size, *row.input_shape), np.float32)
    classes = len(lists.class_names)
    labels = generator.integers(0, classes, batch_size, dtype=np.int32)
    if row.loss.kind == "binary":
        labels = np.eye(classes, dtype=np.float32)[labels]
    return tf.data.Dataset.from_tensor_slices((clips, labels)).batch(batch_size)
