"""X3D: efficient networks, expanded axis by axis from a small one."""

from math import ceil

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn, convolution
from keras_video.layers.depthwise import depthwise_bn
from keras_video.layers.residual import add_relu, residual_stage, shortcut
from keras_video.layers.squeeze_excite import rounded_width, squeeze_excite

__all__ = ["X3D", "decode_predictions", "preprocess_input"]

WIDTH = 24
BLOCKS = (1, 2, 5, 3)
HEAD_WIDTH = 2048


@documented
def X3D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="x3d",
    *,
    gamma_w=1.0,
    gamma_b=2.25,
    gamma_d=2.2,
    se_ratio=1 / 16,
    dropout=0.5,
):
    """X3D (arXiv:2004.04730); the factors are the expansion factors of the paper.

    The defaults are those of X3D-XS, S and M, which differ only in their input: 4 frames of 160,
    13 frames of 160, 16 frames of 224. L is `gamma_d=5.0` with 16 frames of 312.

    Args:
        input_shape: `(frames, height, width, channels)`; `(16, 224, 224, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, 432)`),
            "avg" or "max" (features `(batch, 432)`).
        gamma_w: multiplier of all widths.
        gamma_b: multiplier of a block's inner width.
        gamma_d: multiplier of the number of blocks.
        se_ratio: width of the squeeze-and-excitation in every other block, as a fraction of the
            block's inner width.
        dropout: rate before the classifier.

    Raises:
        ValueError: for arguments that no published weights match.
    """
    width = rounded_width(WIDTH * gamma_w)
    clip = clip_input(input_tensor, input_shape, (16, 224, 224, 3))
    x = convolution(clip, width, (1, 3, 3), (1, 2, 2), name="conv1_s_conv")
    x = depthwise_bn(x, (5, 1, 1), name="conv1_t")
    for stage, count in enumerate(BLOCKS):
        ratios = (se_ratio if index % 2 == 0 else 0 for index in range(ceil(count * gamma_d)))
        blocks = [expanded_block(gamma_b, ratio) for ratio in ratios]
        x = residual_stage(x, blocks, width * 2**stage, (1, 2, 2), name=f"layer{stage + 1}")
    x = conv_bn(x, int(x.shape[-1] * gamma_b), name="conv5")
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        normal = keras.initializers.RandomNormal(stddev=0.01)
        x = layers.Dense(HEAD_WIDTH, "relu", use_bias=False, kernel_initializer=normal, name="fc1")(
            x
        )
        x = classifier(x, classes, classifier_activation, dropout, name="fc2")
    else:
        x = pool_features(x, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=X3D,
        arguments={"gamma_w": gamma_w, "gamma_b": gamma_b, "gamma_d": gamma_d},
    )


def expanded_block(gamma_b, se_ratio):
    """An inverted bottleneck, called as `(x, filters, strides, name=...)`, with a depthwise middle.

    Args:
        gamma_b: inner width as a multiple of the block's.
        se_ratio: width of the squeeze-and-excitation as a fraction of the inner width; 0 for none.
    """

    def block(x, filters, strides, *, name):
        width = int(filters * gamma_b)
        inner = conv_bn(x, width, name=f"{name}_conv1")
        inner = depthwise_bn(inner, 3, strides, activation=None, name=f"{name}_conv2")
        if se_ratio:
            squeezed = rounded_width(width * se_ratio)
            inner = squeeze_excite(inner, squeezed, name=f"{name}_se_module")
        inner = layers.Activation("silu", name=f"{name}_silu")(inner)
        inner = conv_bn(inner, filters, activation=None, gamma="zeros", name=f"{name}_conv3")
        return add_relu(shortcut(x, filters, strides, name=name), inner, name=name)

    return block
