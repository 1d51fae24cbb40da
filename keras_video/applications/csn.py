"""CSN: channel-separated networks."""

from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn
from keras_video.layers.depthwise import depthwise_bn
from keras_video.layers.freezing import batch_norms, freeze
from keras_video.layers.inflated import check_bottleneck_depth, clip_stage, clip_stem
from keras_video.layers.residual import RESNET_BLOCKS, bottleneck

__all__ = ["CSN", "decode_predictions", "preprocess_input"]

TEMPORAL_STRIDES = (1, 2, 2, 2)


@documented
def CSN(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="csn",
    *,
    depth=50,
    mode="ir",
    epsilon=1e-3,
    freeze_norm=False,
    dropout=0.5,
):
    """Channel-separated network (arXiv:1904.02811): in its blocks, 3-D convolutions are depthwise.

    The last three stages halve the frames.

    Args:
        input_shape: `(frames, height, width, channels)`; `(32, 224, 224, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames/8, height/32, width/32, 2048)`),
            "avg" or "max" (features `(batch, 2048)`).
        depth: 50, 101 or 152.
        mode: "ir" (interaction-reduced) or "ip" (interaction-preserved: a 1x1x1 convolution before
            every depthwise one).
        epsilon: epsilon of the batch norms; 1e-5 for some published weights.
        freeze_norm: whether batch norms keep their statistics and scales in training, as in the
            fine-tuning of the published rows.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unknown depth or mode, or arguments that no published weights match.
    """
    check_bottleneck_depth(depth)
    if mode not in SEPARATED:
        raise ValueError(f"mode={mode!r}: expected one of {', '.join(SEPARATED)}.")
    conv = partial(conv_bn, epsilon=epsilon)
    separated = partial(SEPARATED[mode], epsilon=epsilon)
    block = partial(bottleneck, conv1=conv, conv2=separated, conv3=conv)
    clip = clip_input(input_tensor, input_shape, (32, 224, 224, 3))
    x = clip_stem(clip, kernel_size=(3, 7, 7), conv=conv)
    for stage, blocks in enumerate(RESNET_BLOCKS[depth]):
        x = clip_stage(x, stage, [block] * blocks, temporal_stride=TEMPORAL_STRIDES[stage])
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    model = build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=CSN,
        arguments={"depth": depth, "mode": mode, "epsilon": epsilon},
    )
    if freeze_norm:
        freeze(batch_norms(model))
    return model


def interaction_reduced(x, filters, *, strides, name, epsilon):
    """The middle convolution of an "ir" block: depthwise 3x3x3."""
    return depthwise_bn(x, 3, strides, epsilon=epsilon, name=f"{name}_0")


def interaction_preserved(x, filters, *, strides, name, epsilon):
    """The middle convolutions of an "ip" block: 1x1x1, then depthwise 3x3x3."""
    x = conv_bn(x, filters, 1, activation=None, epsilon=epsilon, name=f"{name}_0")
    return depthwise_bn(x, 3, strides, epsilon=epsilon, name=f"{name}_1")


SEPARATED = {"ir": interaction_reduced, "ip": interaction_preserved}
