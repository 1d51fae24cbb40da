"""Batches with cyclically changing clip sizes (multigrid training, arXiv:1912.00998)."""

import itertools

import tensorflow as tf

from .passes import nominal_length


def short_cycle_dataset(examples, shapes):
    """Batches that cycle through the given shapes, built from examples of the largest size.

    Examples are resized to the size of their batch before batching, so at most one batch is held in
    memory. Examples at the end of a pass that do not fill a batch are dropped.

    Args:
        examples: `tf.data.Dataset` of `(clip, label)`, clips float `(frames, side, side,
            channels)`.
        shapes: sequence of `(batch size, side)`, such as the output of
            `keras_video.training.short_cycle`, multiplied by the batch size.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)`, of known length if that of `examples` is known.

    Raises:
        ValueError: if there are no shapes, or a batch size or side is below 1.
    """
    if not shapes or min(min(shape) for shape in shapes) < 1:
        raise ValueError(
            f"received shapes={shapes}, expected pairs (batch size, side) of positive integers"
        )
    sizes, sides = (tf.constant(numbers, tf.int64) for numbers in zip(*shapes, strict=True))
    ends = tf.cumsum(sizes)

    def fit_size(index, example):
        clip, label = example
        turn = tf.searchsorted(ends, index[None] % ends[-1], side="right")[0]
        side = tf.cast(sides[turn], tf.int32)
        # Bilinear, like the resizing of the clip transforms.
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
    """The number of full batches from the given number of examples and cycling batch sizes."""
    cycles, rest = divmod(examples, sum(sizes))
    extra = sum(end <= rest for end in itertools.accumulate(sizes))
    return cycles * len(sizes) + extra
