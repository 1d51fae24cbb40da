"""Stochastic depth: a residual branch is left out at random (arXiv:1603.09382)."""

from keras import layers


def drop_path(x, rate, *, name, axes=(0,)):
    """In training, sets a branch to zero with probability `rate`, and scales up what stays.

    Args:
        x: a branch's output of any rank.
        rate: from 0, which adds no layer, to below 1.
        name: of the layer.
        axes: the axes along which positions are dropped independently; the batch by default.

    Returns:
        A tensor of the shape of `x`, of the same mean over draws.
    """
    if not rate:
        return x
    noise_shape = tuple(None if axis in axes else 1 for axis in range(len(x.shape)))
    return layers.Dropout(rate, noise_shape=noise_shape, name=name)(x)
