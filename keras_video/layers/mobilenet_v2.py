"""MobileNetV2 (arXiv:1801.04381) over frames, with MMAction2's layer names."""

from keras import layers

from keras_video.layers.convolution import conv_bn, he_normal_fan_out, norm, zero_pad
from keras_video.layers.depthwise import DepthwiseConv2D

# Expansion, filters, blocks and stride of the stages: arXiv:1801.04381, table 2.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(x, before=None):
    """The backbone of a MobileNetV2 of width 1.

    Args:
        x: frames `(n, h, w, c)`.
        before: `before(x, name=...)`, applied to the input of the residual branch of every block
            that has a skip connection.

    Returns:
        The outputs of the seven stages and of the last convolution, `(n, h/32, w/32, 1280)`.
    """
    x = conv_bn(x, 32, 3, 2, activation="relu6", name="conv1")
    outputs = []
    for stage, (expansion, filters, blocks, strides) in enumerate(STAGES, start=1):
        for block in range(blocks):
            x = inverted_residual(
                x,
                filters,
                strides if block == 0 else 1,
                expansion,
                before=before,
                name=f"layer{stage}_{block}",
            )
        outputs.append(x)
    return [*outputs, conv_bn(x, 1280, 1, activation="relu6", name="conv2")]


def inverted_residual(x, filters, strides, expansion, *, before=None, name):
    """Expand, depthwise 3x3, project; added to the input where the shape is unchanged."""
    skip = strides == 1 and x.shape[-1] == filters
    width = x.shape[-1] * expansion
    branch = x
    if skip and before is not None:
        branch = before(branch, name=f"{name}_conv_0")
    if expansion != 1:
        branch = conv_bn(branch, width, 1, activation="relu6", name=f"{name}_conv_0")
    first = 0 if expansion == 1 else 1
    branch = depthwise_bn(branch, strides, name=f"{name}_conv_{first}")
    branch = conv_bn(branch, filters, 1, activation=None, name=f"{name}_conv_{first + 1}")
    return layers.Add(name=f"{name}_add")([x, branch]) if skip else branch


def depthwise_bn(x, strides, *, name):
    """Depthwise 3x3, batch norm, ReLU6."""
    padding = "same"
    if strides > 1:
        padding = "valid"
        x = zero_pad(x, (1, 1), name=f"{name}_pad")
    x = DepthwiseConv2D(
        3,
        strides,
        padding=padding,
        use_bias=False,
        depthwise_initializer=he_normal_fan_out(),
        name=f"{name}_conv",
    )(x)
    return layers.Activation("relu6", name=f"{name}_relu6")(norm(x, name=f"{name}_bn"))
