"""Repeated augmentation (arXiv:1901.09335): several clips from the frames of an example."""

import tensorflow as tf

from ..transforms.frames import fold_in


def repeating(transform, repeats):
    """A function that applies a transform to an example several times, with different draws.

    Args:
        transform: function from frames, label and seed to a clip and its label.
        repeats: number of times.

    Returns:
        A function with the same arguments that returns `repeats` clips and labels, stacked along a
        new first axis.
    """

    def several(frames, label, seed):
        results = [transform(frames, label, fold_in(seed, number)) for number in range(repeats)]
        return tf.nest.map_structure(lambda *parts: tf.stack(parts), *results)

    return several


def merged_repeats(dataset):
    """Reshapes batches `(videos, repeats, ...)` to `(videos * repeats, ...)`."""
    return dataset.map(lambda *parts: tf.nest.map_structure(_merged, parts))


def _merged(batch):
    shape = tf.concat([[-1], tf.shape(batch)[2:]], axis=0)
    merged = tf.reshape(batch, shape)
    count = batch.shape[0] and batch.shape[0] * batch.shape[1]
    return tf.ensure_shape(merged, [count, *batch.shape[2:]])
