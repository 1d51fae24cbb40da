"""VideoResNet: R3D, MC3 and R(2+1)D, residual networks of basic blocks over clips."""

from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn
from keras_video.layers.factorized import equal_width, factorized_bn
from keras_video.layers.inflated import clip_stage
from keras_video.layers.residual import RESNET_BLOCKS, basic_block

__all__ = ["VideoResNet", "decode_predictions", "preprocess_input"]

KINDS = ("r3d", "mc3", "r2plus1d")
DEPTHS = (18, 34)
MIDDLE_WIDTHS = ("block", "convolution")
# Channels between the two convolutions of a factorized stem.
STEM_WIDTH = 45


@documented
def VideoResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="video_resnet",
    *,
    kind="r3d",
    depth=18,
    middle_width=None,
    epsilon=None,
    dropout=0.0,
):
    """The residual networks R3D, MC3 and R(2+1)D of arXiv:1711.11248, as in torchvision.

    The stem keeps all frames, and no pooling follows it. The last three stages halve height and
    width, and the frames unless the kind is "mc3".

    Args:
        input_shape: `(frames, height, width, channels)`; `(16, 112, 112, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames/8, height/16, width/16, 512)`;
            "mc3" keeps all frames), "avg" or "max" (features `(batch, 512)`).
        kind: "r3d" (3x3x3 convolutions), "mc3" (3x3x3 in the first stage, 1x3x3 after it) or
            "r2plus1d" (every convolution factorized into space and time).
        depth: 18 or 34.
        middle_width: for "r2plus1d", what determines the channels between the two factors: the
            channels of the "block", as in torchvision's network, or of each "convolution", as in
            those trained on IG-65M. By default "block" at depth 18 and "convolution" at depth 34,
            as in the published weights.
        epsilon: epsilon of the batch norms; by default 1e-3 for a `middle_width` of "convolution"
            and 1e-5 otherwise, as the published weights were trained.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unsupported kind, depth or middle width, a middle width for a kind that
            is not factorized, or arguments that no published weights match.
    """
    check(kind, depth, middle_width)
    middle = middle_width or ("convolution" if depth == 34 else "block")
    default_epsilon = 1e-3 if kind == "r2plus1d" and middle == "convolution" else 1e-5
    stem, blocks = kind_of(kind, middle, default_epsilon if epsilon is None else epsilon)
    clip = clip_input(input_tensor, input_shape, (16, 112, 112, 3))
    x = stem(clip, 64, strides=(1, 2, 2), name="conv1")
    for stage, count in enumerate(RESNET_BLOCKS[depth]):
        stride = 1 if stage == 0 or kind == "mc3" else 2
        x = clip_stage(x, stage, [blocks[min(stage, 1)]] * count, temporal_stride=stride)
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    arguments = {
        "kind": kind,
        "depth": depth,
        "middle_width": middle_width,
        "epsilon": epsilon,
    }
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=VideoResNet,
        arguments=arguments,
    )


def check(kind, depth, middle_width):
    """Raises a ValueError for unsupported arguments."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: expected one of {', '.join(KINDS)}.")
    if depth not in DEPTHS:
        raise ValueError(f"depth={depth!r}: expected 18 or 34.")
    if middle_width is not None and middle_width not in MIDDLE_WIDTHS:
        expected = " or ".join(MIDDLE_WIDTHS)
        raise ValueError(f"middle_width={middle_width!r}: expected {expected}.")
    if middle_width is not None and kind != "r2plus1d":
        raise ValueError(f"middle_width={middle_width!r}: only supported for kind='r2plus1d'.")


def kind_of(kind, middle_width, epsilon):
    """The stem of a kind, and the blocks of its first stage and of the later ones."""
    conv = partial(conv_bn, epsilon=epsilon)
    if kind == "r2plus1d":
        factorized = partial(factorized_bn, epsilon=epsilon, middle_epsilon=epsilon)
        stem = partial(factorized, kernel_size=(3, 7, 7), width=STEM_WIDTH)
        shared = middle_width == "block"
        block = partial(factorized_block, conv=factorized, project=conv, shared=shared)
        return stem, (block, block)
    first = partial(basic_block, conv=partial(conv, kernel_size=3), project=conv)
    flat = partial(basic_block, conv=partial(conv, kernel_size=(1, 3, 3)), project=conv)
    return partial(conv, kernel_size=(3, 7, 7)), (first, flat if kind == "mc3" else first)


def factorized_block(x, filters, strides, *, name, conv, project, shared):
    """A basic block of factorized convolutions, with shared or separate middle widths."""
    width = equal_width(x.shape[-1], filters, (3, 3)) if shared else None
    return basic_block(
        x, filters, strides, name=name, conv=partial(conv, width=width), project=project
    )
