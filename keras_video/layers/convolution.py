"""Convolution, norm and activation in one function, and pooling, for frames and clips.

Padding follows PyTorch: `kernel // 2` zeros on both sides, also when the stride is not 1,
where Keras' `padding="same"` would shift the grid.
"""

import keras
from keras import layers, ops

from keras_video.layers.batch_norm import BatchNormalization
from keras_video.layers.conv3d import FEW_CHANNELS, Conv3D
from keras_video.layers.devices import is_for_another_runtime


def per_axis(value, axes):
    """`value` repeated for each of `axes` axes; a tuple is used unchanged."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes


def he_normal_fan_out():
    """He normal over the fan-out (arXiv:1502.01852), the published models' initializer."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def torch_default(fan_in):
    """PyTorch's default initializers for kernels and biases of dense layers and convolutions.

    Returns:
        The arguments `kernel_initializer` and `bias_initializer` of a layer: both uniform within
        plus or minus `fan_in ** -0.5`.
    """
    limit = fan_in**-0.5
    return {
        "kernel_initializer": keras.initializers.RandomUniform(-limit, limit),
        "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
    }


def convolution(
    x, filters, kernel_size, strides=1, *, name, use_bias=False, groups=1, kernel_initializer=None
):
    """A convolution over frames `(n, h, w, c)` or clips `(n, t, h, w, c)`, its kernel centered.

    Args:
        kernel_initializer: `he_normal_fan_out()` if not given.

    Returns a tensor of the same rank with `filters` channels.
    """
    axes = len(x.shape) - 2
    kernel_size, strides = per_axis(kernel_size, axes), per_axis(strides, axes)
    padding = "same"
    if max(strides) > 1:
        padding = "valid"
        x = zero_pad(x, tuple(size // 2 for size in kernel_size), name=f"{name}_pad")
    layer = layers.Conv2D if axes == 2 else layers.Conv3D
    if axes == 3 and x.shape[-1] <= FEW_CHANNELS:
        layer = Conv3D
    if axes == 3 and max(kernel_size) == 1 and max(strides) > 1:
        layer = StridedPointwiseConv3D
    return layer(
        filters,
        kernel_size,
        strides,
        padding=padding,
        groups=groups,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer or he_normal_fan_out(),
        name=name,
    )(x)


@keras.saving.register_keras_serializable("keras_video")
class StridedPointwiseConv3D(layers.Conv3D):
    """A convolution with kernel 1 that subsamples its input first and then convolves it.

    Arguments, input and output are those of `keras.layers.Conv3D`. TensorFlow's gradient of a
    strided convolution takes three times as long, and the gradient of a slice longer than that of
    pooling; on the other backends the gradient of a slice only pads.

    Raises:
        ValueError: for a larger kernel.
    """

    def __init__(self, filters, kernel_size=1, strides=1, **kwargs):
        super().__init__(filters, kernel_size, strides, **kwargs)
        if max(self.kernel_size) > 1:
            raise ValueError(f"kernel_size={kernel_size}: expected 1.")

    def convolution_op(self, inputs, kernel):
        if is_for_another_runtime():
            return super().convolution_op(inputs, kernel)
        if keras.backend.backend() == "tensorflow":
            x = max_pool_clip(inputs, (1, 1, 1), self.strides)
        else:
            x = inputs[(slice(None), *(slice(None, None, stride) for stride in self.strides))]
        return ops.conv(x, kernel, data_format="channels_last")


def zero_pad(x, padding, *, name):
    """`padding` zeros before and after every axis but batch and channels."""
    if not any(padding):
        return x
    layer = layers.ZeroPadding2D if len(padding) == 2 else layers.ZeroPadding3D
    return layer(padding, name=name)(x)


def norm(x, *, name, epsilon=1e-5, gamma="ones", momentum=0.9):
    """Batch norm (arXiv:1502.03167) with PyTorch's momentum of 0.1, in Keras' terms 0.9.

    Args:
        gamma: initializer of the scale.
        momentum: fraction of the running statistics that a training step keeps.
    """
    return BatchNormalization(
        momentum=momentum, epsilon=epsilon, gamma_initializer=gamma, name=name
    )(x)


def conv_bn(
    x,
    filters,
    kernel_size=1,
    strides=1,
    *,
    name,
    activation="relu",
    groups=1,
    epsilon=1e-5,
    gamma="ones",
    kernel_initializer=None,
    momentum=0.9,
):
    """Convolution without bias, batch norm, activation.

    Layers are named `{name}_conv`, `{name}_bn` and `{name}_{activation}`.

    Args:
        x: frames `(n, h, w, c)` or clips `(n, t, h, w, c)`.
        activation: name of a Keras activation, or `None`.
        gamma, momentum: of the norm, see `norm`.
        kernel_initializer: see `convolution`.
    """
    x = convolution(
        x,
        filters,
        kernel_size,
        strides,
        groups=groups,
        kernel_initializer=kernel_initializer,
        name=f"{name}_conv",
    )
    x = norm(x, epsilon=epsilon, gamma=gamma, momentum=momentum, name=f"{name}_bn")
    return (
        x if activation is None else layers.Activation(activation, name=f"{name}_{activation}")(x)
    )


def max_pool(x, pool_size, strides, *, name, padding=0):
    """Max pooling of non-negative frames or clips; see `MaxPooling`."""
    axes = len(x.shape) - 2
    return MaxPooling(
        per_axis(pool_size, axes), per_axis(strides, axes), per_axis(padding, axes), name=name
    )(x)


@keras.saving.register_keras_serializable("keras_video")
class MaxPooling(keras.layers.Layer):
    """Max pooling over frames `(n, h, w, c)` or clips `(n, t, h, w, c)`, padded on both sides.

    Padding is with zeros, so inputs must not be negative where `padding` is not 0 (they follow a
    ReLU in every model here). A clip is pooled over space and then over time, each with 2-D
    pooling: the maximum is the same, and it can be exported where 3-D pooling cannot.

    Args:
        pool_size, strides, padding: an integer per pooled axis.
    """

    def __init__(self, pool_size, strides, padding, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)
        self.strides = tuple(strides)
        self.padding = tuple(padding)

    def call(self, x):
        if any(self.padding):
            x = ops.pad(x, [(0, 0), *((p, p) for p in self.padding), (0, 0)])
        if len(self.pool_size) == 2:
            return ops.max_pool(x, self.pool_size, self.strides, data_format="channels_last")
        return max_pool_clip(x, self.pool_size, self.strides)

    def compute_output_shape(self, input_shape):
        batch, *axes, channels = input_shape
        pooled = (
            None if length is None else (length + 2 * pad - size) // stride + 1
            for length, size, stride, pad in zip(
                axes, self.pool_size, self.strides, self.padding, strict=True
            )
        )
        return (batch, *pooled, channels)

    def get_config(self):
        config = {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}
        return {**super().get_config(), **config}


def max_pool_clip(x, pool_size, strides):
    """Max pooling of a clip without padding, over space and then over time.

    Other runtimes have fast 3-D pooling, and would change layouts between the two poolings.
    """
    if is_for_another_runtime():
        return ops.max_pool(x, pool_size, strides, data_format="channels_last")
    if pool_size[1:] != (1, 1) or strides[1:] != (1, 1):
        _, frames, *image = ops.shape(x)
        x = ops.reshape(x, (-1, *image))  # (n, t, h, w, c) -> (n*t, h, w, c)
        x = ops.max_pool(x, pool_size[1:], strides[1:], data_format="channels_last")
        x = ops.reshape(x, (-1, frames, *ops.shape(x)[1:]))  # -> (n, t, h', w', c)
    if pool_size[0] != 1 or strides[0] != 1:
        _, frames, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height * width, channels))
        x = ops.max_pool(x, (pool_size[0], 1), (strides[0], 1), data_format="channels_last")
        x = ops.reshape(x, (-1, ops.shape(x)[1], height, width, channels))
    return x
