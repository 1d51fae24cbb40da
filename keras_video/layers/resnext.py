"""ResNeXt (arXiv:1611.05431) over frames, and a grouped convolution with a fast gradient."""

import keras
from keras import layers, ops

from keras_video.layers.convolution import conv_bn, he_normal_fan_out, norm, zero_pad
from keras_video.layers.residual import bottleneck, resnet

# Channels per dense convolution that replaces several groups: measured on two cores.
DENSE_CHANNELS = 64


@keras.saving.register_keras_serializable("keras_video")
class GroupedConv2D(layers.Conv2D):
    """A `Conv2D` with `groups` whose gradient is fast on TensorFlow's CPU.

    Same arguments and weights. On that backend it computes adjacent groups together, as one
    convolution with a block-diagonal kernel; training took 200 times as long with Keras' own.
    """

    def convolution_op(self, inputs, kernel):
        if keras.backend.backend() != "tensorflow":
            return super().convolution_op(inputs, kernel)
        size = kernel.shape[2]  # input channels of a group
        joined = largest_divisor(self.groups, max(1, DENSE_CHANNELS // size))
        parts = self.groups // joined
        outputs = [
            super(GroupedConv2D, self).convolution_op(x, block_diagonal(part, joined))
            for x, part in zip(
                ops.split(inputs, parts, axis=-1), ops.split(kernel, parts, axis=-1), strict=True
            )
        ]
        return ops.concatenate(outputs, axis=-1) if parts > 1 else outputs[0]


def largest_divisor(groups, limit):
    """The largest divisor of `groups` that is at most `limit`."""
    return max(n for n in range(1, groups + 1) if groups % n == 0 and n <= limit)


def block_diagonal(kernel, groups):
    """A grouped kernel `(h, w, i, groups * o)` as a dense `(h, w, groups * i, groups * o)`."""
    height, width, size, filters = kernel.shape
    kernel = ops.reshape(kernel, (height, width, 1, size, groups, filters // groups))
    diagonal = ops.reshape(ops.eye(groups, dtype=kernel.dtype), (1, 1, groups, 1, groups, 1))
    return ops.reshape(kernel * diagonal, (height, width, groups * size, filters))


def grouped_conv_bn(x, filters, *, strides, groups, name):
    """Grouped 3x3 convolution, batch norm, ReLU, with the layer names of `conv_bn`."""
    if strides > 1:
        x = zero_pad(x, (1, 1), name=f"{name}_conv_pad")
    x = GroupedConv2D(
        filters,
        3,
        strides,
        padding="valid" if strides > 1 else "same",
        groups=groups,
        use_bias=False,
        kernel_initializer=he_normal_fan_out(),
        name=f"{name}_conv",
    )(x)
    return layers.Activation("relu", name=f"{name}_relu")(norm(x, name=f"{name}_bn"))


def resnext(x, depth=101, groups=32, group_width=4):
    """A ResNeXt with mmcls's layer names.

    Args:
        x: frames `(n, h, w, c)`.
        depth: 50, 101 or 152.
        groups: number of groups of the spatial convolutions.
        group_width: channels per group in the first stage.

    Returns:
        The outputs of the four stages, the last `(n, h/32, w/32, 2048)`.
    """

    def conv1(x, filters, *, name):
        return conv_bn(x, widened(filters), name=name)

    def conv2(x, filters, *, strides, name):
        return grouped_conv_bn(x, widened(filters), strides=strides, groups=groups, name=name)

    def widened(filters):
        return groups * group_width * filters // 64

    def block(x, filters, strides, *, name):
        return bottleneck(x, filters, strides, conv1=conv1, conv2=conv2, name=name)

    return resnet(x, depth, lambda stage, index: block)
