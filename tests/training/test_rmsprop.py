import keras
import numpy as np
import pytest

from keras_video.training import RMSprop
from keras_video.training.optimizers import Multiplier

STEPS = 5
KERNEL, BIAS = np.float32([[1.0, -2.0], [0.5, 3.0]]), np.float32([0.25, -1.0])
RNG = np.random.default_rng(0)
GRADIENTS = [
    (RNG.normal(size=(2, 2)).astype("float32"), RNG.normal(size=2).astype("float32"))
    for _ in range(STEPS)
]


def trained(optimizer):
    """A kernel and a bias after five steps on known gradients."""
    kernel = keras.Variable(KERNEL, name="kernel")
    bias = keras.Variable(BIAS, name="bias")
    optimizer.build([kernel, bias])
    for gradients in GRADIENTS:
        optimizer.apply(list(map(keras.ops.convert_to_tensor, gradients)))
    return np.array(kernel), np.array(bias)


def by_hand(start, gradients, decay=0.0, rate=0.02, clipnorm=None):
    """The formula of the docstring, in float64."""
    weight, square, buffer = start.astype("float64"), 0.0, 0.0
    for gradient in gradients:
        step = gradient + decay * weight
        if clipnorm:
            step = step * clipnorm / max(clipnorm, np.linalg.norm(step))
        square = 0.9 * square + 0.1 * step**2
        buffer = 0.5 * buffer + rate * step / np.sqrt(square + 1e-3)
        weight = weight - buffer
    return weight


@pytest.mark.parametrize("clipnorm", [None, 0.75])
def test_decay_goes_through_the_gradient_and_its_clipping(clipnorm):
    options = {"rho": 0.9, "momentum": 0.5, "epsilon": 1e-3, "weight_decay": 0.1}
    groups = (Multiplier("bias", learning_rate=2.0, weight_decay=0.0),)
    kernel, bias = trained(RMSprop(0.02, multipliers=groups, clipnorm=clipnorm, **options))
    kernels, biases = zip(*GRADIENTS, strict=True)
    np.testing.assert_allclose(kernel, by_hand(KERNEL, kernels, 0.1, clipnorm=clipnorm), rtol=1e-5)
    expected = by_hand(BIAS, biases, rate=0.04, clipnorm=clipnorm)
    np.testing.assert_allclose(bias, expected, rtol=1e-5)


def test_without_decay_it_is_that_of_keras():
    options = {"rho": 0.9, "momentum": 0.5, "epsilon": 1e-3}
    ours = trained(RMSprop(0.02, **options))
    theirs = trained(keras.optimizers.RMSprop(0.02, **options))
    for value, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-6)


def test_config_round_trip():
    optimizer = RMSprop(0.1, 0.8, 0.3, 1e-2, 0.05, (Multiplier("bias", 2.0, 0.0),), clipnorm=1.0)
    again = RMSprop.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert again.multipliers == optimizer.multipliers
