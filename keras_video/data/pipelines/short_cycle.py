"""Batches whose clips change their size from one to the next (multigrid, arXiv:1912.00998)."""

import itertools

import tensorflow as tf

from .passes import nominal_length


def short_cycle_dataset(examples, shapes):
    """Batches of the shapes in turn, made from examples of the largest side.

    An example is resized to its batch's side before batches are made, so that no more than one
    batch is held. The examples left over at the end of a pass, too few for a batch, are dropped.

    Args:
        examples: `tf.data.Dataset` of `(clip, label)`, clips float `(frames, side, side,
            channels)`.
        shapes: sequence of `(batch size, side)`, such as `keras_video.training.short_cycle` gives,
            multiplied by the batch size.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)`, its length known where that of `examples` is.

    Raises:
        ValueError: without shapes, or for a batch size or side below 1.
    """
    if not shapes or min(min(shape) for shape in shapes) < 1:
        raise ValueError(f"received shapes={shapes}, expected pairs (batch size, side) from 1 on")
    sizes, sides = (tf.constant(numbers, tf.int64) for numbers in zip(*shapes, strict=True))
    ends = tf.cumsum(sizes)

    def fit_size(index, example):
        clip, label = example
        turn = tf.searchsorted(ends, index[None] % ends[-1], side="right")[0]
        side = tf.cast(sides[turn], tf.int32)
        # Bilinear, as the clip's own transforms resize.
        return tf.cast(turn, tf.int64), (tf.image.resize(clip, (side, side)), label)

    batches = (
        examples.enumerate()
        .map(fit_size, num_parallel_calls=tf.data.AUTOTUNE)
        .group_by_window(
            key_func=lambda turn, example: turn,
            reduce_func=lambda turn, window: window.map(lambda _, example: example).batch(
                sizes[turn], drop_remainder=True
            ),
            window_size_func=lambda turn: sizes[turn],
        )
    )
    count = examples.cardinality().numpy()
    if count >= 0:
        full = short_cycle_batches(count, [size for size, _ in shapes])
        batches = nominal_length(batches, full)
    return batches.prefetch(1)


def short_cycle_batches(examples, sizes):
    """Full batches that so many examples give when the batch sizes take turns."""
    cycles, rest = divmod(examples, sum(sizes))
    begun = sum(end <= rest for end in itertools.accumulate(sizes))
    return cycles * len(sizes) + begun
