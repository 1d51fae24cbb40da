import numpy as np
import pytest

from keras_video.probes.logistic import fit_logistic

RNG = np.random.default_rng(0)


def gradient(x, targets, weights, l2, kernel, bias):
    logits = x @ kernel + bias
    powers = np.exp(logits - logits.max(1, keepdims=True))
    error = (powers / powers.sum(1, keepdims=True) - targets) * (weights / weights.sum())[:, None]
    return np.concatenate([(x.T @ error + l2 * kernel).ravel(), error.sum(0)])


@pytest.mark.parametrize("shape", [(60, 7), (12, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("l2", [1e-2, 1.0])
def test_the_gradient_vanishes_at_the_optimum(shape, l2):
    x = RNG.normal(size=shape)
    targets = np.eye(3)[RNG.integers(0, 3, len(x))]
    weights = RNG.uniform(0, 2, len(x))
    kernel, bias = fit_logistic(x, targets, weights, l2)
    assert kernel.shape == (shape[1], 3) and bias.shape == (3,)
    assert np.abs(gradient(x, targets, weights, l2, kernel, bias)).max() < 1e-4


def test_a_heavier_penalty_gives_a_smaller_kernel():
    x, targets = RNG.normal(size=(30, 5)), np.eye(2)[RNG.integers(0, 2, 30)]
    sizes = [np.abs(fit_logistic(x, targets, np.ones(30), l2)[0]).max() for l2 in (0.01, 0.1, 1)]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_examples_without_weight_do_not_count():
    x, labels = RNG.normal(size=(40, 4)), RNG.integers(0, 2, 40)
    weights = (np.arange(40) < 25).astype(float)
    all_of_them = fit_logistic(x, np.eye(2)[labels], weights, 0.1)
    part = fit_logistic(x[:25], np.eye(2)[labels[:25]], np.ones(25), 0.1)
    for first, second in zip(all_of_them, part, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-3)
