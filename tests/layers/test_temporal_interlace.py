import keras
import numpy as np
import pytest

from keras_video.layers import TemporalInterlace

pytestmark = pytest.mark.unit


def interlaced(offsets, weights=1.0, frames=5):
    """Frames numbered from 1 after moving four groups of two channels: `(frames, 8)`."""
    layer = TemporalInterlace(frames)
    numbers = np.arange(1, frames + 1, dtype="float32")
    x = np.broadcast_to(numbers[None, :, None, None], (1, frames, 3, 8))
    weights = np.broadcast_to(np.float32(weights), (1, frames, 4))
    y = layer.interlace(x, np.array([offsets], "float32"), keras.ops.convert_to_tensor(weights))
    y = keras.ops.convert_to_numpy(y)
    assert y.shape == x.shape
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :, :1], y.shape))
    return y[0, :, 0]


def test_integer_offsets_are_a_shift():
    y = interlaced([1, 2, -1, 0])
    np.testing.assert_array_equal(y[:, 0:2].T, [[0, 1, 2, 3, 4]] * 2)  # to later frames
    np.testing.assert_array_equal(y[:, 2:4].T, [[0, 0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(y[:, 4:6].T, [[2, 3, 4, 5, 0]] * 2)
    np.testing.assert_array_equal(y[:, 6:8].T, [[1, 2, 3, 4, 5]] * 2)


def test_a_fraction_interpolates():
    y = interlaced([0.25, 0, -1.5, 0])
    np.testing.assert_allclose(y[:, 0], [0.75, 1.75, 2.75, 3.75, 4.75])
    np.testing.assert_allclose(y[:, 4], [2.5, 3.5, 4.5, 2.5, 0])


def test_weights_scale_frames():
    weights = np.ones((1, 5, 4))
    weights[:, 2, 1] = 3
    y = interlaced([0, 0, 0, 0], weights)
    np.testing.assert_allclose(y[:, 2], [1, 2, 9, 4, 5])
    np.testing.assert_allclose(y[:, 0], [1, 2, 3, 4, 5])


def test_only_the_first_channels_move_and_clips_are_independent():
    keras.utils.set_random_seed(0)
    layer = TemporalInterlace(4)
    x = np.random.default_rng(0).normal(size=(8, 2, 3, 32)).astype("float32")
    y = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(y[..., 8:], x[..., 8:])
    assert np.abs(y[..., :8] - x[..., :8]).max() > 0.1
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x[4:])), y[4:], atol=1e-6)


def test_a_new_layer_starts_around_half_a_frame():
    layer = TemporalInterlace(4)
    layer.build((None, 2, 2, 32))
    zeros = np.zeros((1, 4, 8), "float32")
    weights = keras.ops.convert_to_numpy(layer.frame_weights(zeros))
    np.testing.assert_array_equal(weights, np.ones((1, 4, 4)))
    assert np.abs(layer.offset_conv.get_weights()[1]).max() > 0  # biases are random, like kernels
    assert np.abs(layer.offset_hidden.get_weights()[1]).max() > 0
    layer.offset.set_weights([np.zeros((4, 2)), layer.offset.get_weights()[1]])
    offsets = keras.ops.convert_to_numpy(layer.offsets(zeros))
    np.testing.assert_allclose(offsets, [[0.5, 0.5, -0.5, -0.5]], atol=1e-3)


def test_channels_that_are_not_four_groups_are_rejected():
    with pytest.raises(ValueError, match="24 channels"):
        TemporalInterlace(4).build((None, 2, 2, 24))


def test_config_round_trip():
    layer = TemporalInterlace(6, divisor=2, name="interlace")
    again = TemporalInterlace.from_config(layer.get_config())
    assert (again.frames, again.divisor, again.name) == (6, 2, "interlace")
