import keras
import numpy as np
import pytest

from keras_video.layers import TemporalAdaptiveModule

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kernel_size", [3, 4, 5])
@pytest.mark.parametrize("frames", [2, 6])
def test_every_clip_and_channel_has_its_kernel(frames, kernel_size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, frames, 5, 3)).astype("float32")
    gate = rng.uniform(size=(2, frames, 3)).astype("float32")
    kernel = rng.normal(size=(2, 3, kernel_size)).astype("float32")
    expected = np.zeros_like(x)
    before = (kernel_size - 1) // 2
    for clip in range(2):
        for channel in range(3):
            for position in range(5):
                line = x[clip, :, position, channel] * gate[clip, :, channel]
                line = np.pad(line, (before, kernel_size - 1 - before))
                line = np.correlate(line, kernel[clip, channel], "valid")
                expected[clip, :, position, channel] = line
    layer = TemporalAdaptiveModule(frames, kernel_size=kernel_size)
    y = layer.convolve(*map(keras.ops.convert_to_tensor, (x, gate, kernel)))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(y), expected, rtol=1e-5, atol=1e-6)


def test_the_kernel_sums_to_one_and_depends_on_the_clip():
    keras.utils.set_random_seed(0)
    layer = TemporalAdaptiveModule(4)
    layer.build((None, 2, 2, 8))
    layer.kernel_layers[-1].kernel.assign(np.random.default_rng(0).normal(size=(8, 3)))
    pooled = 50 * np.random.default_rng(1).normal(size=(2, 4, 8)).astype("float32")
    kernel = keras.ops.convert_to_numpy(layer.kernel(keras.ops.convert_to_tensor(pooled)))
    np.testing.assert_allclose(kernel.sum(axis=-1), 1, rtol=1e-5)
    assert np.abs(kernel[0] - kernel[1]).max() > 1e-2


def test_a_closed_gate_lets_nothing_through():
    layer = TemporalAdaptiveModule(4)
    layer.build((None, 2, 2, 8))
    _, norm, expand = layer.gate_layers
    norm.beta.assign(np.ones(2))
    expand.kernel.assign(np.full((1, 2, 8), -1000.0))
    x = np.random.default_rng(0).normal(size=(8, 2, 2, 8)).astype("float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), 0, atol=1e-6)


def test_clips_are_independent_in_inference():
    keras.utils.set_random_seed(0)
    layer = TemporalAdaptiveModule(4)
    x = np.random.default_rng(0).normal(size=(8, 2, 3, 8)).astype("float32")
    y = keras.ops.convert_to_numpy(layer(x))
    assert y.shape == x.shape
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x[4:])), y[4:], atol=1e-6)


def test_training_updates_the_statistics():
    layer = TemporalAdaptiveModule(4)
    x = np.random.default_rng(0).normal(size=(8, 2, 3, 8)).astype("float32")
    layer(x, training=True)
    assert np.abs(keras.ops.convert_to_numpy(layer.gate_layers[1].moving_mean)).max() > 0


def test_config_round_trip():
    layer = TemporalAdaptiveModule(6, kernel_size=5, widening=3, reduction=2, name="tam")
    again = TemporalAdaptiveModule.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.frames, again.kernel_size, again.widening, again.reduction) == (6, 5, 3, 2)
