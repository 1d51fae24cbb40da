"""R(2+1)D: every convolution factorized into space and time."""

from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn
from keras_video.layers.factorized import factorized_bn, time_first_bn
from keras_video.layers.inflated import clip_stage, clip_stem
from keras_video.layers.residual import RESNET_BLOCKS, basic_block, bottleneck, residual_stage

__all__ = ["R2Plus1D", "decode_predictions", "preprocess_input"]

TEMPORAL_STRIDES = (1, 2, 2, 2)
BOTTLENECK_TEMPORAL_STRIDES = (1, 1, 2, 2)


@documented
def R2Plus1D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="r2plus1d",
    *,
    depth=34,
    dropout=0.5,
):
    """R(2+1)D (arXiv:1711.11248): a residual network of factorized 3-D convolutions.

    Depths 18 and 34 use basic blocks whose convolutions are spatial, then temporal; the last three
    stages halve the frames. Deeper networks use bottlenecks whose middle convolution is temporal,
    then spatial, after a 1x7x7 stem without pooling; the last two stages halve the frames.

    Args:
        input_shape: `(frames, height, width, channels)`; `(8, 224, 224, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames/8, height/32, width/32, 512)`,
            from depth 50 on `(batch, frames/4, height/32, width/32, 2048)`), "avg" or "max"
            (features `(batch, 512)` or `(batch, 2048)`).
        depth: 18, 34, 50, 101 or 152.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unsupported depth, or arguments that no published weights match.
    """
    if depth not in RESNET_BLOCKS:
        raise ValueError(f"depth={depth!r}: expected one of {', '.join(map(str, RESNET_BLOCKS))}.")
    clip = clip_input(input_tensor, input_shape, (8, 224, 224, 3))
    x = basic_body(clip, depth) if depth < 50 else bottleneck_body(clip, depth)
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=R2Plus1D,
        arguments={"depth": depth},
    )


def basic_body(clip, depth):
    """Stem and stages of basic blocks, all of whose convolutions are factorized."""
    block = partial(basic_block, conv=factorized_bn, project=factorized_bn)
    x = clip_stem(clip, kernel_size=(3, 7, 7), conv=factorized_bn)
    for stage, blocks in enumerate(RESNET_BLOCKS[depth]):
        x = clip_stage(x, stage, [block] * blocks, temporal_stride=TEMPORAL_STRIDES[stage])
    return x


def bottleneck_body(clip, depth):
    """Stem and stages of bottlenecks, whose middle convolution is factorized.

    Every stage halves height and width; the first one does so in place of a pooling.
    """
    block = partial(bottleneck, conv2=time_first_bn)
    x = conv_bn(clip, 64, (1, 7, 7), (1, 2, 2), name="conv1")
    for stage, blocks in enumerate(RESNET_BLOCKS[depth]):
        strides = (BOTTLENECK_TEMPORAL_STRIDES[stage], 2, 2)
        x = residual_stage(x, [block] * blocks, 64 * 2**stage, strides, name=f"layer{stage + 1}")
    return x
