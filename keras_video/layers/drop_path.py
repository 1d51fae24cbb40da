"""Stochastic depth: residual branches are dropped at random (arXiv:1603.09382)."""

from keras import layers


def drop_path(x, rate, *, name, axes=(0,)):
    """In training, zeroes a branch with probability `rate` and scales up the rest.

    Args:
        x: a branch's output of any rank.
        rate: from 0, which adds no layer, to below 1.
        name: name of the layer.
        axes: the axes along which positions are dropped independently; the batch by default.

    Returns:
        A tensor of the shape of `x`, with the same expected value.
    """
    if not rate:
        return x
    noise_shape = tuple(None if axis in axes else 1 for axis in range(len(x.shape)))
    return layers.Dropout(rate, noise_shape=noise_shape, name=name)(x)
