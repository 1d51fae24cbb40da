"""MoViNet: mobile networks from architecture search, for clips and for streams."""

from dataclasses import dataclass

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.causal import TemporalMean
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.mobile_video import mobile_block, norm, pointwise_bn

__all__ = ["MoViNet", "decode_predictions", "preprocess_input"]

HEAD_WIDTH = 2048

# Kernel sizes `(frames, height, width)`.
K13, K15, K33, K53 = (1, 3, 3), (1, 5, 5), (3, 3, 3), (5, 3, 3)

# Spatial strides: all stages but the fourth halve the frames.
STRIDES = (2, 2, 2, 1, 2)


@dataclass(frozen=True)
class Variant:
    """A network of the family, as in the authors' TensorFlow Model Garden.

    Attributes:
        frames, size: frames and side length of the published input.
        stem: channels of the stem.
        widths: channels of the stages.
        expansions, kernels: expanded channels and kernel size of each block, per stage.
        head: channels of the head.
        positions: whether the stream variant encodes frame positions.
    """

    frames: int
    size: int
    stem: int
    widths: tuple
    expansions: tuple
    kernels: tuple
    head: int
    positions: bool = False


VARIANTS = {
    "a0": Variant(
        50,
        172,
        8,
        (8, 32, 56, 56, 104),
        ((24,), (80,) * 3, (184, 112, 184), (184,) * 4, (384, 280, 280, 344)),
        ((K15,), (K33,) * 3, (K53, K33, K33), (K53, *(K33,) * 3), (K53, *(K15,) * 3)),
        480,
    ),
    "a1": Variant(
        50,
        172,
        16,
        (16, 40, 64, 64, 136),
        (
            (40, 40),
            (96, 120, 96, 96),
            (216, 128, 216, 168, 216),
            (216, 216, 216, 128, 128, 216),
            (456, 360, 360, 360, 456, 456, 544),
        ),
        (
            (K15, K33),
            (K33,) * 4,
            (K53, *(K33,) * 4),
            (K53, *(K33,) * 3, K15, K33),
            (K53, *(K15,) * 4, K33, K13),
        ),
        600,
    ),
    "a2": Variant(
        50,
        224,
        16,
        (16, 40, 72, 72, 144),
        (
            (40, 40, 64),
            (96, 120, 96, 96, 120),
            (240, 160, 240, 192, 240),
            (240, 240, 240, 240, 144, 240),
            (480, 384, 384, 480, 480, 480, 576),
        ),
        (
            (K15, K33, K33),
            (K33,) * 5,
            (K53, *(K33,) * 4),
            (K53, *(K33,) * 3, K15, K33),
            (K53, *(K15,) * 4, K33, K13),
        ),
        640,
    ),
    "a3": Variant(
        120,
        256,
        16,
        (16, 48, 80, 88, 168),
        (
            (40, 40, 64, 40),
            (112, 144, 112, 112, 144, 144),
            (240, 152, 240, 192, 240),
            (264, 264, 264, 264, 160, 264, 264, 264),
            (560, 448, 448, 560, 560, 560, 448, 448, 560, 672),
        ),
        (
            (K15, *(K33,) * 3),
            (K33, K33, K33, K15, K33, K33),
            (K53, *(K33,) * 4),
            (K53, *(K33,) * 3, K15, *(K33,) * 3),
            (K53, *(K15,) * 4, K33, K15, K15, K33, K13),
        ),
        744,
        positions=True,
    ),
    "a4": Variant(
        80,
        290,
        24,
        (24, 56, 96, 96, 192),
        (
            (64, 64, 96, 64, 96, 64),
            (168, 168, 136, 136, 168, 168, 168, 136, 136),
            (320, 160, 320, 192, 320, 160, 320, 256, 320),
            (320, 320, 320, 320, 192, 320, 320, 192, 320, 320),
            (640, 512, 512, 640, 640, 640, 512, 512, 640, 768, 640, 640, 768),
        ),
        (
            (K15, *(K33,) * 5),
            (*(K33,) * 7, K15, K33),
            (K53, *(K33,) * 8),
            (K53, *(K33,) * 3, K15, *(K33,) * 5),
            (K53, *(K15,) * 4, K33, *(K15,) * 5, K33, K33),
        ),
        856,
        positions=True,
    ),
    "a5": Variant(
        120,
        320,
        24,
        (24, 64, 112, 120, 224),
        (
            (64, 64, 96, 64, 96, 64),
            (192, 152, 152, 152, 192, 192, 192, 152, 152, 192, 192),
            (376, 224, 376, 376, 296, 376, 224, 376, 376, 296, 376, 376, 376),
            (376, 376, 376, 376, 224, 376, 376, 224, 376, 376, 376),
            (744, 744, 600, 600, 744, 744, 744, 896, 600, 600, 896)
            + (744, 744, 896, 600, 600, 744, 744),
        ),
        (
            (K15, K15, *(K33,) * 4),
            (K53, *(K33,) * 10),
            (K53, *(K33,) * 12),
            (K53, *(K33,) * 3, K15, *(K33,) * 6),
            (K53, K33, *(K15,) * 4, K33, *(K15,) * 5, K33, *(K15,) * 4, K33),
        ),
        992,
        positions=True,
    ),
}


@documented
def MoViNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=600,
    classifier_activation="softmax",
    name="movinet",
    *,
    variant="a0",
    stream=False,
    drop_path=0.2,
    dropout=0.5,
):
    """MoViNet (arXiv:2103.11511), A0 to A5, base or stream variant.

    The stream variant is causal: each frame depends only on itself and earlier frames. On a clip it
    returns the scores after the last frame; `keras_video.inference.Stream` runs it frame by frame,
    with equal scores. Its convolutions are factorized, first over space, then over time; its
    activations are hard swish.

    Args:
        input_shape: `(frames, height, width, channels)`; that of the published variant if not
            given, `(50, 172, 172, 3)` for A0. Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, channels)`,
            480 channels for A0), "avg" or "max" (features `(batch, channels)`).
        variant: "a0" to "a5".
        stream: whether to build the causal stream variant.
        drop_path: stochastic depth rate of the last block, increasing linearly with the block.
        dropout: dropout rate before the classifier; 0.2 in the published stream variants of A0 and
            A1, otherwise 0.5.

    Returns:
        A `keras.Model` that maps float clips with pixels from 0 to 1 to float32
        `(batch, classes)`.

    Raises:
        ValueError: for an unknown variant, or arguments without published weights.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant={variant!r}: expected one of {', '.join(VARIANTS)}.")
    facts = VARIANTS[variant]
    clip = clip_input(input_tensor, input_shape, (facts.frames, facts.size, facts.size, 3))
    x = body(clip, facts, stream, drop_path)
    if stream and (include_top or pooling == "avg"):
        x = stream_pool(x, clip)
    elif stream:
        x = pool_features(UnfoldTime(name="unfold_time")(x, clip), pooling)
    elif include_top or pooling == "avg":
        x = layers.GlobalAveragePooling3D(name="head_pool")(x)
    else:
        x = pool_features(x, pooling)
    if include_top:
        x = layers.Dense(HEAD_WIDTH, "silu", kernel_initializer="he_normal", name="fc1")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=MoViNet,
        arguments={"variant": variant, "stream": stream},
    )


def body(clip, facts, stream, drop_path):
    """Stem, stages and head convolution: on clips, or on folded frames in the stream variant."""
    activation = "hard_silu" if stream else "silu"
    x = FoldTime(name="fold_time")(clip) if stream else clip
    kernel, strides, convolution = (
        (3, 2, layers.Conv2D) if stream else ((1, 3, 3), (1, 2, 2), layers.Conv3D)
    )
    x = convolution(
        facts.stem,
        kernel,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name="stem_conv",
    )(x)
    x = norm(x, activation, name="stem_bn")
    total, number = sum(map(len, facts.kernels)), 0
    for stage, kernels in enumerate(facts.kernels):
        for index, kernel in enumerate(kernels):
            number += 1
            x = mobile_block(
                x,
                facts.widths[stage],
                facts.expansions[stage][index],
                kernel,
                STRIDES[stage] if index == 0 else 1,
                clip=clip if stream else None,
                positions=facts.positions,
                rate=drop_path * number / total,
                name=f"block{stage}_layer{index}",
            )
    return pointwise_bn(x, facts.head, activation, name="head")


def stream_pool(x, clip):
    """The mean of folded frames over space and time, `(n, c)`."""
    x = layers.GlobalAveragePooling2D(keepdims=True, name="head_frame_pool")(x)
    x = UnfoldTime(name="unfold_time")(x, clip)
    x = TemporalMean(name="head_pool")(x)
    return layers.Reshape((x.shape[-1],), name="avg_pool")(x)
