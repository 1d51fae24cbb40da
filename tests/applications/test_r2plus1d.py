import keras
import numpy as np
import pytest

from keras_video.applications.r2plus1d import R2Plus1D
from keras_video.layers.factorized import time_first_bn
from tests import reference
from tests.applications.parity import assert_equals_the_original


def test_equals_the_original():
    stages = {f"layer{s + 1}": f"layer{s + 1}_{n}_relu" for s, n in enumerate((2, 3, 5, 2))}
    assert_equals_the_original("r2plus1d_r34", R2Plus1D, {"conv1": "conv1_relu", **stages})


def test_depth_18_has_the_papers_size():
    model = R2Plus1D(depth=18, input_shape=(8, 32, 32, 3))
    assert 31e6 < reference.learned(model) < 34e6


def test_bottlenecks_convolve_time_before_space_without_pooling():
    """The published size of PyTorchVideo's network is 28.11 million."""
    model = R2Plus1D(depth=50, input_shape=(8, 64, 96, 3), include_top=False)
    assert model.output_shape == (None, 2, 2, 3, 2048)
    assert "maxpool" not in {layer.name for layer in model.layers}
    names = [layer.name for layer in model.layers]
    order = [f"layer3_0_conv2_{part}" for part in ("conv_conv_t", "conv_bn_t", "conv_conv_s", "bn")]
    assert sorted(order, key=names.index) == order
    assert model.get_layer("layer3_0_conv2_conv_conv_t").strides == (2, 1, 1)
    assert reference.learned(model) + 2048 * 400 + 400 == 28_107_600


def test_the_factorized_middle_equals_the_two_convolutions():
    """PyTorchVideo's block: temporal convolution, norm, ReLU, spatial convolution, norm."""
    rng = np.random.default_rng(0)
    clip = keras.Input((5, 6, 7, 4))
    model = keras.Model(clip, time_first_bn(clip, 8, 3, (2, 2, 2), name="x", activation=None))
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    x = rng.normal(size=(1, 5, 6, 7, 4))
    time, space = (np.array(model.get_layer(f"x_conv_conv_{axis}").kernel) for axis in "ts")

    def normed(y, name):
        gamma, beta, mean, variance = (np.array(w) for w in model.get_layer(name).weights)
        return (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    padded = np.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)))
    y = sum(padded[:, tap : tap + 5 : 2] @ time[tap, 0, 0] for tap in range(3))
    y = np.pad(np.maximum(normed(y, "x_conv_bn_t"), 0), ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
    y = sum(
        y[:, :, row : row + 6 : 2, column : column + 7 : 2] @ space[0, row, column]
        for row in range(3)
        for column in range(3)
    )
    actual = model.predict(x.astype("float32"), verbose=0)
    expected = normed(y, "x_bn")
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_rejects_an_unknown_depth():
    with pytest.raises(ValueError, match="depth=20: expected one of 18, 34, 50, 101, 152"):
        R2Plus1D(depth=20)
