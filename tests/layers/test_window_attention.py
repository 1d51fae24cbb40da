import keras
import numpy as np
import pytest

from keras_video.layers.window_attention import MergePatches, WindowAttention, window_mask


def seen(shift, size=8, window=4):
    """Which outputs change when one pixel of an image changes: bool `(h, w, h, w)`."""
    keras.utils.set_random_seed(0)
    layer = WindowAttention(2, window, shift)
    images = np.random.default_rng(0).normal(size=(1, size, size, 8)).astype("float32")
    base = keras.ops.convert_to_numpy(layer(images))
    changed = np.repeat(images, size * size, axis=0).reshape(size, size, size, size, 8)
    for row in range(size):
        for column in range(size):
            changed[row, column, row, column] += 1
    y = keras.ops.convert_to_numpy(layer(changed.reshape(-1, size, size, 8)))
    return (np.abs(y - base) > 1e-6).any(axis=-1).reshape(size, size, size, size)


@pytest.mark.parametrize("shift", [0, 2])
def test_positions_see_their_window_only(shift):
    side = (np.arange(8) + shift) // 4  # windows along one side
    same = side[:, None] == side[None]
    expected = same[:, None, :, None] & same[None, :, None, :]
    np.testing.assert_array_equal(seen(shift), expected)


def test_one_window_is_not_shifted():
    assert window_mask((4, 4), (4, 4), (0, 0)) is None
    np.testing.assert_array_equal(seen(2, size=4), True)


def test_other_sizes_are_padded():
    layer = WindowAttention(2, 4, 2)
    assert layer(np.zeros((1, 6, 9, 8), "float32")).shape == (1, 6, 9, 8)
    assert layer.padded == (8, 12)


def test_merged_positions_go_down_first():
    x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    y = keras.ops.convert_to_numpy(MergePatches()(x))
    np.testing.assert_array_equal(y, [[[[0, 2, 1, 3]]]])


def test_config_round_trip():
    layer = WindowAttention(4, 7, 3, name="attn")
    again = WindowAttention.from_config(layer.get_config())
    assert (again.heads, again.window, again.shift) == (4, 7, 3)
