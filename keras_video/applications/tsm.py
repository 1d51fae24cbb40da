"""TSM: temporal shift module."""

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, clip_input
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.segment_head import require_static_frames, segment_head
from keras_video.layers.convolution import conv_bn, max_pool
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.mobilenet_v2 import mobilenet_v2
from keras_video.layers.non_local import non_local as add_non_local
from keras_video.layers.residual import RESNET_BLOCKS, bottleneck, resnet
from keras_video.layers.temporal_shift import TemporalShift

__all__ = ["TSM", "decode_predictions", "preprocess_input"]

DEPTHS = {f"resnet{depth}": depth for depth in (50, 101, 152)}
BACKBONES = (*DEPTHS, "mobilenet_v2")

# Blocks of each stage that a non-local block follows.
NON_LOCAL_AFTER = ((), (0, 2), (0, 2, 4), ())


@documented
def TSM(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="tsm",
    *,
    backbone="resnet50",
    segments=8,
    non_local=None,
    temporal_pool=False,
    online=False,
    dropout=0.5,
):
    """Temporal shift network (arXiv:1811.08383).

    An image network whose blocks take an eighth of the channels from the next frame and an eighth
    from the previous one. Every frame is classified, and the logits are averaged over the clip.

    Args:
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given.
            Height and width may be `None`, but not frames.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        backbone: "resnet50", "resnet101", "resnet152" or "mobilenet_v2".
        segments: frames of the default input.
        non_local: `None`, or the kind of five non-local blocks (ResNet only):
            "embedded_gaussian", "gaussian" or "dot_product".
        temporal_pool: whether a max pooling halves the frames after the first stage (ResNet only).
        online: whether shifts use only past frames, so that `keras_video.inference.Stream` can run
            the model frame by frame. Published weights are for the bidirectional shift.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unknown backbone, an option that the backbone does not support, an
            unknown number of frames, or arguments that no published weights match.
    """
    check_options(backbone, non_local, temporal_pool, online)
    clip = clip_input(input_tensor, input_shape, (segments, 224, 224, 3))
    frames = require_static_frames(clip)
    x = FoldTime(name="fold_time")(clip)
    if backbone == "mobilenet_v2":
        x = shifted_mobilenet_v2(x, frames, online=online)
    else:
        block = shifted_blocks(DEPTHS[backbone], frames, non_local, temporal_pool, online)
        x = resnet(x, DEPTHS[backbone], block)[-1]
    x = segment_head(
        x,
        pooled_frames(frames) if temporal_pool else frames,
        include_top=include_top,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        dropout=dropout,
    )
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=TSM,
        arguments={"backbone": backbone, "non_local": non_local, "temporal_pool": temporal_pool},
    )


def check_options(backbone, non_local, temporal_pool, online):
    """Raises a ValueError for an unsupported combination of options."""
    if backbone not in BACKBONES:
        raise ValueError(f"backbone={backbone!r}: expected one of {', '.join(BACKBONES)}.")
    if backbone == "mobilenet_v2" and (non_local or temporal_pool):
        raise ValueError(
            f"non_local={non_local!r}, temporal_pool={temporal_pool}: only supported with a "
            "ResNet backbone."
        )
    if online and (non_local or temporal_pool):
        raise ValueError(
            f"online=True with non_local={non_local!r}, temporal_pool={temporal_pool}: these use "
            "future frames, which a stream does not have."
        )


def shifted_mobilenet_v2(x, frames, *, online=False):
    """MobileNetV2 with a shift before the expansion of every block that has a skip connection."""

    def shift(x, name):
        return TemporalShift(frames, online=online, name=f"{name}_shift")(x)

    return mobilenet_v2(x, before=shift)[-1]


def pooled_frames(frames):
    """Number of frames after pooling over 3 frames with stride 2."""
    return (frames + 1) // 2


def shifted_blocks(depth, frames, non_local=None, temporal_pool=False, online=False):
    """The blocks of a temporal shift network, for `resnet`.

    Args:
        depth: of the ResNet. From 101 on, only every second block of a stage has a shift.
        frames: frames per clip.
        non_local: kind of the non-local blocks, or `None`.
        temporal_pool: whether frames are halved before the second stage.
        online: whether shifts use only past frames.
    """
    shift_interval = 1 if RESNET_BLOCKS[depth][2] < 23 else 2

    def blocks(stage, index):
        pool = temporal_pool and (stage, index) == (1, 0)
        block_frames = pooled_frames(frames) if temporal_pool and stage > 0 else frames
        conv1 = shifted_conv(block_frames, online) if index % shift_interval == 0 else conv_bn

        def block(x, filters, strides, *, name):
            x = pool_frames(x, frames, name=f"{name}_temporal_pool") if pool else x
            x = bottleneck(x, filters, strides, conv1=conv1, name=name)
            if non_local is not None and index in NON_LOCAL_AFTER[stage]:
                x = relate_positions(x, block_frames, non_local, name=name)
            return x

        return block

    return blocks


def shifted_conv(frames, online=False):
    """The first convolution of a block, preceded by a shift."""

    def conv(x, filters, *, name):
        x = TemporalShift(frames, online=online, name=f"{name}_shift")(x)
        return conv_bn(x, filters, name=name)

    return conv


def pool_frames(x, frames, *, name):
    """Max pooling of folded frames over 3 frames with stride 2."""
    x = UnfoldTime(frames, name=f"{name}_unfold")(x)
    x = max_pool(x, (3, 1, 1), (2, 1, 1), padding=(1, 0, 0), name=name)
    return FoldTime(name=f"{name}_fold")(x)


def relate_positions(x, frames, mode, *, name):
    """A non-local block over the clips of folded frames."""
    name = f"{name}_non_local_block"
    x = UnfoldTime(frames, name=f"{name}_unfold")(x)
    x = add_non_local(x, mode=mode, name=name)
    return FoldTime(name=f"{name}_fold")(x)
