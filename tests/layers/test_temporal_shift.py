import keras
import numpy as np
import pytest

from keras_video.layers import TemporalShift
from keras_video.layers.devices import for_another_runtime

pytestmark = pytest.mark.unit


def frames_of(batch=2, frames=4, channels=8):
    """Every frame filled with its number, from 1; the second clip's are ten times as large."""
    numbers = np.outer(10.0 ** np.arange(batch), np.arange(1, frames + 1)).reshape(-1, 1, 1, 1)
    return np.broadcast_to(numbers, (batch * frames, 2, 3, channels)).astype("float32")


def shifted(layer, x):
    """The layer's output at one pixel, `(batch, frames, channels)`."""
    y = keras.ops.convert_to_numpy(layer(x))
    assert y.shape == x.shape
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    return y[:, 0, 0].reshape(-1, layer.frames, x.shape[-1])


def test_channels_come_from_neighboring_frames():
    y = shifted(TemporalShift(4, divisor=4), frames_of())
    first = [2, 3, 4, 0]
    np.testing.assert_array_equal(y[0, :, :2], np.transpose([first, first]))
    second = [0, 1, 2, 3]
    np.testing.assert_array_equal(y[0, :, 2:4], np.transpose([second, second]))
    np.testing.assert_array_equal(y[0, :, 4:], np.transpose([[1, 2, 3, 4]] * 4))
    np.testing.assert_array_equal(y[1], 10 * y[0])  # no channel leaks into another clip


def test_online_uses_only_past_frames():
    y = shifted(TemporalShift(4, divisor=4, online=True), frames_of())
    np.testing.assert_array_equal(y[0, :, :2], np.transpose([[0, 1, 2, 3]] * 2))
    np.testing.assert_array_equal(y[0, :, 2:], np.transpose([[1, 2, 3, 4]] * 6))


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("online", [False, True])
def test_other_runtimes_get_equal_results_from_plain_operations(monkeypatch, online, frames):
    layer = TemporalShift(frames, divisor=4, online=online)
    x = np.random.default_rng(0).normal(size=(3 * frames, 2, 3, 8)).astype("float32")
    expected = keras.ops.convert_to_numpy(layer(x))
    with for_another_runtime():
        monkeypatch.setattr(layer, "shift_kernel", None)  # used by the other form
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x)), expected)


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1), (3, 1), (2, 2), (4,)])
def test_chunks_equal_the_clip(pieces):
    layer = TemporalShift(4, divisor=4, online=True)
    x = frames_of().reshape(2, 4, 2, 3, 8)
    whole = keras.ops.convert_to_numpy(layer(x.reshape(8, 2, 3, 8))).reshape(x.shape)
    memory = {
        name: keras.ops.zeros((2, *shape), dtype)
        for name, (shape, dtype) in layer.memory((None, 2, 3, 8)).items()
    }
    start, outputs = 0, []
    for count in pieces:
        piece = keras.ops.convert_to_tensor(x[:, start : start + count].reshape(-1, 2, 3, 8))
        y, memory = layer.advance(piece, memory)
        outputs.append(keras.ops.convert_to_numpy(y).reshape(2, count, 2, 3, 8))
        start += count
    np.testing.assert_array_equal(np.concatenate(outputs, 1), whole)


def test_a_shift_from_later_frames_cannot_stream():
    with pytest.raises(ValueError, match="next frame"):
        TemporalShift(4).memory((None, 2, 3, 8))


@pytest.mark.parametrize(
    "arguments", [{"frames": None}, {"frames": 0}, {"frames": 4, "divisor": 1}]
)
def test_invalid_arguments_are_rejected(arguments):
    with pytest.raises(ValueError, match="at least"):
        TemporalShift(**arguments)


def test_config_round_trip():
    layer = TemporalShift(4, divisor=2, online=True, name="shift")
    again = TemporalShift.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.frames, again.divisor, again.online) == (4, 2, True)
