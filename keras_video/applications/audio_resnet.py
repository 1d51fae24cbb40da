"""Residual networks over log-mel spectrograms."""

from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions
from keras_video.layers.convolution import conv_bn, convolution, norm
from keras_video.layers.residual import (
    RESNET_BLOCKS,
    add_relu,
    residual_stage,
    resnet,
    shortcut,
)

__all__ = ["AudioResNet", "decode_predictions"]

FACTORIZED_DEPTHS = (50, 101, 152)


@documented
def AudioResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="audio_resnet",
    *,
    depth=18,
    factorized=False,
    dropout=0.5,
):
    """Residual network over a spectrogram, treated as a single-channel image.

    With `factorized`, it is the audio pathway of audiovisual SlowFast networks (arXiv:2001.08740):
    narrower, with early convolutions split into one over time and one over frequency.

    Args:
        input_shape: `(time, mels, 1)`; `(128, 80, 1)` if not given. Time and mels may be `None`.
        pooling: without the top: `None` (features `(batch, time/32, mels/32, c)`, or time/8 and
            mels/8 if factorized), "avg" or "max" (features `(batch, c)`).
        depth: 18, 34, 50, 101 or 152; at least 50 if factorized.
        factorized: whether early convolutions are split by axis.
        dropout: rate before the classifier.

    Returns:
        A `keras.Model` from float spectrograms `(batch, time, mels, 1)` to `(batch, classes)`
        float32.

    Raises:
        ValueError: for an unknown depth, or arguments that no published weights match.
    """
    depths = FACTORIZED_DEPTHS if factorized else tuple(RESNET_BLOCKS)
    if depth not in depths:
        raise ValueError(f"depth={depth!r}, factorized={factorized}: expected one of {depths}.")
    spectrogram = clip_input(
        input_tensor, input_shape, (128, 80, 1), name="spectrogram", minimum_size=1
    )
    body = factorized_resnet if factorized else resnet
    x = body(spectrogram, depth)[-1]
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    return build_model(
        spectrogram,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=AudioResNet,
        arguments={"depth": depth, "factorized": factorized},
    )


def factorized_resnet(x, depth, name=""):
    """The residual stages of a factorized network.

    The first two stages are factorized. There is no pooling, and the stem has stride 1.

    Args:
        x: spectrograms `(n, time, mels, c)`.
        depth: 50, 101 or 152.
        name: prefix of the layer names.

    Returns:
        The outputs of the stem and the four stages, the last `(n, time/8, mels/8, 1024)`.
    """
    x = layers.Add(name=f"{name}conv1_conv_add")(by_axis(x, 32, 9, 1, name=f"{name}conv1_conv"))
    x = norm(x, name=f"{name}conv1_bn")
    x = layers.ReLU(name=f"{name}conv1_relu")(x)
    outputs = [x]
    for stage, count in enumerate(RESNET_BLOCKS[depth]):
        block = partial(audio_bottleneck, factorized=stage < 2)
        strides = 1 if stage == 0 else 2
        stage_name = f"{name}layer{stage + 1}"
        x = residual_stage(x, [block] * count, 32 * 2**stage, strides, name=stage_name)
        outputs.append(x)
    return outputs


def by_axis(x, filters, size, strides, *, name):
    """Parallel convolutions of `x` over time and over frequency, each with norm and ReLU."""
    return [
        conv_bn(x, filters, (size, 1), strides, name=f"{name}_conv_1"),
        conv_bn(x, filters, (1, size), strides, name=f"{name}_conv_2"),
    ]


def audio_bottleneck(x, filters, strides, *, name, factorized):
    """Bottleneck whose middle convolution is factorized, or has neither norm nor activation.

    It is initialized as an identity: the scale of its last norm starts at zero.
    """
    residual = conv_bn(x, filters, name=f"{name}_conv1")
    spatial = f"{name}_conv2_conv"
    if factorized:
        parts = by_axis(residual, filters, 3, strides, name=spatial)
        residual = layers.Concatenate(name=f"{spatial}_concat")(parts)
    else:
        residual = convolution(residual, filters, 3, strides, name=spatial)
    residual = convolution(residual, 4 * filters, 1, name=f"{name}_conv3_conv")
    residual = norm(residual, gamma="zeros", name=f"{name}_conv3_bn")
    return add_relu(shortcut(x, 4 * filters, strides, name=name), residual, name=name)
