import keras
import numpy as np
import pytest

from keras_video.layers.window_attention import (
    MergeFramePatches,
    MergePatches,
    WindowAttention,
    WindowAttention3D,
    relative_positions,
    window_regions,
)

pytestmark = pytest.mark.unit


def receptive_fields(shift, size=8, window=4):
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
def test_positions_depend_only_on_their_window(shift):
    side = (np.arange(8) + shift) // 4  # windows along one side
    same = side[:, None] == side[None]
    expected = same[:, None, :, None] & same[None, :, None, :]
    np.testing.assert_array_equal(receptive_fields(shift), expected)


def test_a_single_window_is_not_shifted():
    assert window_regions((4, 4), (4, 4), (0, 0)) is None
    np.testing.assert_array_equal(receptive_fields(2, size=4), True)


def test_a_graph_has_no_constant_per_pair_of_positions_and_window():
    import tensorflow as tf

    layer = WindowAttention(2, 8, 4)
    forward = tf.function(layer).get_concrete_function(tf.zeros((1, 64, 64, 8)))
    constants = [
        node.attr["value"].tensor.ByteSize()
        for node in forward.graph.as_graph_def().node
        if node.op == "Const"
    ]
    index_size = layer.positions.size * 8  # int64
    assert max(constants) <= index_size + 100  # there are 64 windows


def test_other_sizes_are_padded():
    layer = WindowAttention(2, 4, 2)
    assert layer(np.zeros((1, 6, 9, 8), "float32")).shape == (1, 6, 9, 8)
    assert layer.padded == (8, 12)


def test_positions_are_merged_column_by_column():
    x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    y = keras.ops.convert_to_numpy(MergePatches()(x))
    np.testing.assert_array_equal(y, [[[[0, 2, 1, 3]]]])


def test_config_round_trip():
    layer = WindowAttention(4, 7, 3, name="attn")
    again = WindowAttention.from_config(layer.get_config())
    assert (again.heads, again.window, again.shift) == (4, 7, 3)


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 2, 1)])
def test_positions_of_a_clip_depend_only_on_their_window(shift):
    size, window = (4, 6, 5), (2, 3, 5)
    keras.utils.set_random_seed(0)
    layer = WindowAttention3D(2, window, shift)
    places = int(np.prod(size))
    clip = np.random.default_rng(0).normal(size=(1, *size, 8)).astype("float32")
    base = keras.ops.convert_to_numpy(layer(clip))
    changed = np.repeat(clip, places, axis=0).reshape(places, places, 8)
    changed[np.arange(places), np.arange(places)] += 1
    y = keras.ops.convert_to_numpy(layer(changed.reshape(places, *size, 8)))
    attended = (np.abs(y - base) > 1e-6).any(axis=-1).reshape(places, places)
    assert layer.shifts == (shift[0], shift[1], 0)
    labels = []
    for axis, coordinates in enumerate(np.indices(size).reshape(3, -1)):
        # The shift leaves only a part of the first window.
        labels.append((coordinates - layer.shifts[axis]) // window[axis])
    labels = np.stack(labels)
    np.testing.assert_array_equal(attended, (labels[:, :, None] == labels[:, None]).all(axis=0))


def test_small_windows_have_the_first_positions_of_the_full_one():
    layer = WindowAttention3D(1, (4, 3, 3), (2, 1, 1))
    layer.build((None, 2, 3, 2, 4))
    assert layer.box == (2, 3, 2)
    assert layer.shifts == (0, 0, 0)
    full = relative_positions((4, 3, 3))
    assert full.max() == 7 * 5 * 5 - 1
    np.testing.assert_array_equal(layer.positions, full[:12, :12])


def test_odd_frames_are_padded_before_merging():
    x = np.arange(1, 7, dtype="float32").reshape(1, 1, 3, 2, 1)
    y = keras.ops.convert_to_numpy(MergeFramePatches()(x))
    np.testing.assert_array_equal(y[0, 0], [[[1, 3, 2, 4]], [[5, 0, 6, 0]]])


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="8 channels can not be divided among 3"):
        WindowAttention3D(3, (2, 2, 2)).build((None, 2, 2, 2, 8))


def test_config_of_clips_round_trip():
    layer = WindowAttention3D(4, [8, 7, 7], [4, 3, 3])
    again = WindowAttention3D.from_config(layer.get_config())
    assert (again.window, again.shift) == ((8, 7, 7), (4, 3, 3))
