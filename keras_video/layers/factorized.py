"""A convolution over clips factorized into one over space and one over time."""

from keras import layers

from keras_video.layers.convolution import convolution, norm, per_axis

TEMPORAL_KERNEL_SIZE = 3


def factorized_bn(
    x,
    filters,
    kernel_size=3,
    strides=1,
    *,
    name,
    activation="relu",
    epsilon=1e-3,
    middle_epsilon=1e-5,
    width=None,
):
    """(2+1)-D convolution (arXiv:1711.11248), batch norm, activation.

    Space is convolved first, with a norm and a ReLU between the two. The layers are named
    `{name}_conv_conv_s`, `{name}_conv_bn_s`, `{name}_conv_conv_t` and `{name}_bn`.

    Args:
        x: clips `(n, t, h, w, c)`.
        kernel_size, strides: an integer, or one per axis (time, height, width).
        activation: name of a Keras activation, or `None`.
        epsilon, middle_epsilon: of the last norm, and of the one between the two convolutions.
        width: channels between the two; by default the number that matches the parameters of the
            full convolution.
    """
    time, *space = per_axis(kernel_size, 3)
    time_stride, *space_strides = per_axis(strides, 3)
    width = width or equal_width(x.shape[-1], filters, space)
    x = convolution(x, width, (1, *space), (1, *space_strides), name=f"{name}_conv_conv_s")
    x = norm(x, epsilon=middle_epsilon, name=f"{name}_conv_bn_s")
    x = layers.ReLU(name=f"{name}_conv_relu")(x)
    x = convolution(x, filters, (time, 1, 1), (time_stride, 1, 1), name=f"{name}_conv_conv_t")
    x = norm(x, epsilon=epsilon, name=f"{name}_bn")
    if activation is None:
        return x
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def time_first_bn(x, filters, kernel_size=3, strides=1, *, name, activation="relu", epsilon=1e-5):
    """Convolution over time, then space, each with `filters` channels; batch norm, activation.

    A norm and a ReLU are between the two. The layers are named `{name}_conv_conv_t`,
    `{name}_conv_bn_t`, `{name}_conv_conv_s` and `{name}_bn`.

    Args:
        x: clips `(n, t, h, w, c)`.
        kernel_size, strides: an integer, or one per axis (time, height, width).
        activation: name of a Keras activation, or `None`.
        epsilon: of both norms.
    """
    time, *space = per_axis(kernel_size, 3)
    time_stride, *space_strides = per_axis(strides, 3)
    x = convolution(x, filters, (time, 1, 1), (time_stride, 1, 1), name=f"{name}_conv_conv_t")
    x = norm(x, epsilon=epsilon, name=f"{name}_conv_bn_t")
    x = layers.ReLU(name=f"{name}_conv_relu")(x)
    x = convolution(x, filters, (1, *space), (1, *space_strides), name=f"{name}_conv_conv_s")
    x = norm(x, epsilon=epsilon, name=f"{name}_bn")
    if activation is None:
        return x
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def equal_width(channels, filters, space):
    """Channels between the two that match the parameters of a 3-D convolution over three frames.

    Three frames even if the temporal kernel size is 1, as in the published models.
    """
    area = space[0] * space[1]
    full = TEMPORAL_KERNEL_SIZE * channels * filters * area
    return full // (channels * area + TEMPORAL_KERNEL_SIZE * filters)
