"""DenseNet (arXiv:1608.06993) over frames, with layers named as in torchvision."""

from keras import layers

from keras_video.layers.convolution import convolution, max_pool, norm

# DenseNet-161, arXiv:1608.06993, table 1 with a growth rate of 48.
GROWTH = 48
STEM_FILTERS = 96
BLOCKS = (6, 12, 36, 24)


def densenet161(x):
    """DenseNet-161 without its classifier.

    As in the published video models, no ReLU follows the last norm.

    Args:
        x: frames `(n, h, w, c)`.

    Returns:
        The outputs of the four blocks, the last after its norm, `(n, h/32, w/32, 2208)`.
    """
    x = convolution(x, STEM_FILTERS, 7, 2, name="features_conv0_conv")
    x = layers.ReLU(name="features_relu0")(norm(x, name="features_norm0"))
    x = max_pool(x, 3, 2, padding=1, name="features_pool0")
    outputs = []
    for block, count in enumerate(BLOCKS, start=1):
        for layer in range(1, count + 1):
            x = dense_layer(x, name=f"features_denseblock{block}_denselayer{layer}")
        last = block == len(BLOCKS)
        outputs.append(norm(x, name="features_norm5") if last else x)
        if not last:
            x = transition(x, name=f"features_transition{block}")
    return outputs


def dense_layer(x, *, name):
    """New features computed from all previous ones and appended to them."""
    y = norm_relu(x, name=f"{name}_norm1")
    y = convolution(y, 4 * GROWTH, 1, name=f"{name}_conv1_conv")
    y = norm_relu(y, name=f"{name}_norm2")
    y = convolution(y, GROWTH, 3, name=f"{name}_conv2_conv")
    return layers.Concatenate(name=f"{name}_concat")([x, y])


def transition(x, *, name):
    """Halves the channels and the spatial size."""
    y = norm_relu(x, name=f"{name}_norm")
    y = convolution(y, x.shape[-1] // 2, 1, name=f"{name}_conv")
    return layers.AveragePooling2D(2, name=f"{name}_pool")(y)


def norm_relu(x, *, name):
    """Batch norm and ReLU."""
    return layers.ReLU(name=f"{name}_relu")(norm(x, name=name))
