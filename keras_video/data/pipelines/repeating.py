"""Repeated augmentation (arXiv:1901.09335): several clips of the frames of one example."""

import tensorflow as tf

from ..transforms.frames import fold_in


def repeating(transform, repeats):
    """The function of one example that applies a transform several times, with draws of its own.

    Args:
        transform: function from frames, label and seed to a clip and its label.
        repeats: how often.

    Returns:
        A function of the same arguments to `repeats` clips and labels along a new first axis.
    """

    def several(frames, label, seed):
        results = [transform(frames, label, fold_in(seed, number)) for number in range(repeats)]
        return tf.nest.map_structure(lambda *parts: tf.stack(parts), *results)

    return several


def merged_repeats(dataset):
    """Batches `(videos, repeats, ...)` as batches `(videos * repeats, ...)`."""
    return dataset.map(lambda *parts: tf.nest.map_structure(_merged, parts))


def _merged(batch):
    shape = tf.concat([[-1], tf.shape(batch)[2:]], axis=0)
    merged = tf.reshape(batch, shape)
    count = batch.shape[0] and batch.shape[0] * batch.shape[1]
    return tf.ensure_shape(merged, [count, *batch.shape[2:]])
