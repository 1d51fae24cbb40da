"""Squeeze-and-excitation (arXiv:1709.01507) for clips."""

from keras import layers

from keras_video.layers.convolution import he_normal_fan_out
from keras_video.layers.dense import Dense


def squeeze_excite(x, width, *, name):
    """Scales every channel by a gate in (0, 1) computed from the clip's mean.

    Layers with weights are named `{name}_fc1` and `{name}_fc2`.

    Args:
        x: clip features `(n, t, h, w, c)`.
        width: hidden units of the gate.
    """
    gate = layers.GlobalAveragePooling3D(keepdims=True, name=f"{name}_mean")(x)
    for units, activation, part in ((width, "relu", "fc1"), (x.shape[-1], "sigmoid", "fc2")):
        initializer = he_normal_fan_out()
        dense = Dense(units, activation, kernel_initializer=initializer, name=f"{name}_{part}")
        gate = dense(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def rounded_width(width, divisor=8):
    """The multiple of `divisor`, at least one, nearest to `width` but not below 0.9 of it."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded
