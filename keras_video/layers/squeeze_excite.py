"""Squeeze and excitation (arXiv:1709.01507) of clips."""

from keras import layers


def squeeze_excite(x, width, *, name):
    """Scales every channel by a gate in (0, 1) computed from the clip's mean.

    Layers with weights are named `{name}_fc1` and `{name}_fc2`.

    Args:
        x: clips' features `(n, t, h, w, c)`.
        width: units between the two layers of the gate.
    """
    gate = layers.GlobalAveragePooling3D(keepdims=True, name=f"{name}_mean")(x)
    gate = layers.Dense(width, activation="relu", name=f"{name}_fc1")(gate)
    gate = layers.Dense(x.shape[-1], activation="sigmoid", name=f"{name}_fc2")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def rounded_width(width, divisor=8):
    """The multiple of `divisor`, at least one, nearest to `width` but not below 0.9 of it."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded
