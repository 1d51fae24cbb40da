"""Residual blocks and stages (ResNet, arXiv:1512.03385) for frames and clips.

Model families pass the convolutions of their blocks as functions; blocks and stages do not depend
on families. The stride is in the block's spatial convolution, as in torchvision.
"""

from keras import layers

from keras_video.layers.convolution import conv_bn, max_pool

# Blocks per stage of the five depths of arXiv:1512.03385, table 1.
RESNET_BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def shortcut(x, filters, strides, *, name, conv=conv_bn):
    """The shortcut of a block: its input, projected if the shape changes."""
    strided = strides != 1 and set(strides if isinstance(strides, tuple) else (strides,)) != {1}
    if not strided and x.shape[-1] == filters:
        return x
    return conv(x, filters, 1, strides, activation=None, name=f"{name}_downsample")


def add_relu(x, residual, *, name):
    """The sum of a block's two branches, followed by a ReLU."""
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, residual]))


def bottleneck(
    x, filters, strides, *, name, conv1=conv_bn, conv2=None, conv3=conv_bn, last_gamma="ones"
):
    """Bottleneck block: reduce, spatial convolution, expand to `4 * filters`.

    Args:
        x: frames `(n, h, w, c)` or clips `(n, t, h, w, c)`.
        conv1: `conv1(x, filters, name=...)`, the reduction; a 1x1 `conv_bn` if not given.
        conv2: `conv2(x, filters, strides=..., name=...)`; a 3x3 (1x3x3) `conv_bn` if not given.
        conv3: `conv3(x, filters, 1, strides, activation=None, name=...)`, expansion and shortcut.
        last_gamma: initializer of the scale of the branch's last norm; "zeros" initializes
            blocks as identities (arXiv:1706.02677).
    """
    conv2 = conv2 or spatial_conv
    residual = conv1(x, filters, name=f"{name}_conv1")
    residual = conv2(residual, filters, strides=strides, name=f"{name}_conv2")
    residual = conv3(residual, 4 * filters, activation=None, gamma=last_gamma, name=f"{name}_conv3")
    return add_relu(shortcut(x, 4 * filters, strides, name=name, conv=conv3), residual, name=name)


def basic_block(x, filters, strides, *, name, conv=None, project=conv_bn):
    """Basic block: two spatial convolutions.

    Args:
        conv: `conv(x, filters, strides=..., activation=..., name=...)`; 3x3 if not given.
        project: the shortcut's convolution where the shape changes.
    """
    conv = conv or spatial_conv
    residual = conv(x, filters, strides=strides, name=f"{name}_conv1")
    residual = conv(residual, filters, strides=1, activation=None, name=f"{name}_conv2")
    return add_relu(shortcut(x, filters, strides, name=name, conv=project), residual, name=name)


def spatial_conv(x, filters, *, strides, name, **kwargs):
    """`conv_bn` of 3x3 over frames, 1x3x3 over clips."""
    kernel_size = 3 if len(x.shape) == 4 else (1, 3, 3)
    return conv_bn(x, filters, kernel_size, strides, name=name, **kwargs)


def residual_stage(x, blocks, filters, strides, *, name):
    """Blocks in a row, the first with `strides`.

    Args:
        blocks: one function `(x, filters, strides, name=...)` per block; they may differ.
    """
    for index, block in enumerate(blocks):
        x = block(x, filters, strides if index == 0 else 1, name=f"{name}_{index}")
    return x


def resnet(x, depth, block=None):
    """A 2-D residual network over frames.

    Args:
        x: frames `(n, h, w, c)`.
        depth: 18, 34, 50, 101 or 152.
        block: `block(stage, index)` returns the function `(x, filters, strides, name=...)` of a
            block, stages and blocks counted from 0; plain blocks of this depth if not given.

    Returns:
        The outputs of the four stages, the last `(n, h/32, w/32, features)`.
    """
    block = block or (lambda stage, index: basic_block if depth < 50 else bottleneck)
    x = conv_bn(x, 64, 7, 2, name="conv1")
    x = max_pool(x, 3, 2, padding=1, name="maxpool")
    outputs = []
    for stage, count in enumerate(RESNET_BLOCKS[depth]):
        strides = 1 if stage == 0 else 2
        blocks = [block(stage, index) for index in range(count)]
        x = residual_stage(x, blocks, 64 * 2**stage, strides, name=f"layer{stage + 1}")
        outputs.append(x)
    return outputs
