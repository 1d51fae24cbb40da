import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.pipelines.short_cycle import short_cycle_batches, short_cycle_dataset

SHAPES = [(4, 4), (2, 6), (1, 8)]


def examples(count):
    """Clips filled with the value of their label."""
    return tf.data.Dataset.range(count).map(
        lambda label: (tf.fill((2, 8, 8, 3), tf.cast(label, tf.float32)), label)
    )


def test_shapes_take_turns_and_no_example_is_used_twice():
    batches = list(short_cycle_dataset(examples(14), SHAPES))
    assert [clips.shape for clips, _ in batches] == [
        (size, 2, side, side, 3) for size, side in SHAPES * 2
    ]
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, np.arange(14))
    for clips, numbers in batches:
        np.testing.assert_allclose(clips[:, 0, 0, 0, 0], numbers, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 3, 4, 6, 7, 20])
def test_length_is_known_and_incomplete_batches_are_dropped(count):
    dataset = short_cycle_dataset(examples(count), SHAPES)
    sizes = [len(labels) for _, labels in dataset]
    assert len(dataset) == len(sizes) == short_cycle_batches(count, (4, 2, 1))
    assert all(size == SHAPES[index % 3][0] for index, size in enumerate(sizes))


def test_missing_shapes_are_rejected():
    with pytest.raises(ValueError, match=r"\[\(0, 8\)\]"):
        short_cycle_dataset(examples(2), [(0, 8)])
