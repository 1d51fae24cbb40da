"""ActionFormer: when actions happen, over the features of a long video."""

import math

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, clip_input
from keras_video.applications.preprocessing import decode_predictions
from keras_video.layers.local_attention import LearnedScale, LocalTransformerBlock, SequenceMask

__all__ = ["ActionFormer", "decode_predictions", "pyramid_strides"]

# Probability of a class at the start, so that the many points without an action weigh little.
_PRIOR = 0.01
_NOTHING = 1e4


@documented
def ActionFormer(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=20,
    classifier_activation="sigmoid",
    name="actionformer",
    *,
    embed_dim=512,
    num_heads=4,
    depths=(2, 2, 5),
    window=19,
    head_depth=2,
    dropout=0.0,
    drop_path=0.1,
    layer_scale=1e-4,
):
    """ActionFormer (arXiv:2202.07925): a pyramid over time with local attention.

    Every point of the pyramid says how likely an action of each class is there, and how far away
    its start and end are. `training.span_targets` makes what it learns, `inference.detect_spans`
    spans of what it gives. Features come from a video model by `inference.window_features`.

    Args:
        input_shape: `(length, channels)`; `(None, 2048)` if not given. The length is a multiple of
            the pyramid's last stride, 32 by default; shorter sequences are padded with zeros at
            their end.
        pooling: without the top: `None` (the points of all levels `(batch, points, embed_dim)`,
            finest level first), "avg" or "max" over them (features `(batch, embed_dim)`).
        classifier_activation: "sigmoid", or `None` for logits.
        embed_dim: width of the network.
        num_heads: attention heads.
        depths: convolutions at the start, blocks before the pyramid, and blocks that halve the
            sequence: levels of the pyramid less one.
        window: positions that attention sees, odd; `None` for all of them.
        head_depth: convolutions of each head before its last.
        dropout: rate within the blocks.
        drop_path: probability that an example skips a branch in training.
        layer_scale: start of a learned factor of the branches; `None` for none.

    Returns:
        A `keras.Model` from features `(batch, length, channels)` to a dictionary of float32:
        "classes" `(batch, points, classes)` and "offsets" `(batch, points, 2)`, the distances to
        start and end in strides of the point's level. The points of the finest level, one for each
        feature, come first.

    Raises:
        ValueError: for a length that the strides do not divide, an activation other than these,
            or arguments that no published weights have.
    """
    if classifier_activation not in ("sigmoid", None):
        raise ValueError(
            f"classifier_activation={classifier_activation!r}: expected 'sigmoid' or None."
        )
    features = clip_input(input_tensor, input_shape, (None, 2048), "features", minimum_size=1)
    _check_length(features.shape[1], depths[2])
    blocks = {"window": window, "dropout": dropout, "drop_path": drop_path}
    blocks |= {"heads": num_heads, "layer_scale": layer_scale}
    levels = pyramid(features, embed_dim, depths, **blocks)
    if include_top:
        outputs = {
            "classes": class_head(levels, classes, embed_dim, head_depth, classifier_activation),
            "offsets": offset_head(levels, embed_dim, head_depth),
        }
    else:
        outputs = pooled(layers.Concatenate(axis=1, name="points")([x for x, _ in levels]), pooling)
    return build_model(
        features,
        outputs,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=ActionFormer,
        arguments={"embed_dim": embed_dim, "depths": tuple(depths), "window": window},
    )


def pyramid_strides(levels):
    """The strides of the levels of a pyramid, in features: 1, 2, 4 ..."""
    return tuple(2**level for level in range(levels))


def _check_length(length, halvings):
    stride = 2**halvings
    if length is not None and length % stride:
        raise ValueError(
            f"received sequences of {length} features, expected a multiple of {stride}, the last "
            "stride of the pyramid"
        )


def pyramid(x, width, depths, *, heads, window, **arguments):
    """The levels of the pyramid: `[(features, mask), ...]`, finest first, each with its norm.

    Args:
        x: features `(batch, length, channels)`.
        width: of the network.
        depths: see `ActionFormer`.
        **arguments: of every `LocalTransformerBlock`.
    """
    mask = SequenceMask(name="mask")(x)
    for index in range(depths[0]):
        x = masked_conv(x, mask, width, use_bias=False, name=f"embd_{index}")
        x = layers.LayerNormalization(epsilon=1e-5, name=f"embd_norm_{index}")(x)
        x = layers.ReLU(name=f"embd_relu_{index}")(x)
    for index in range(depths[1]):
        block = LocalTransformerBlock(heads, window, name=f"stem_{index}", **arguments)
        x = block(x, mask)
    levels = [(x, mask)]
    for index in range(depths[2]):
        # Every second position.
        halved = layers.MaxPooling1D(1, 2, data_format="channels_last", name=f"mask_{index}")(mask)
        block = LocalTransformerBlock(heads, window, 2, name=f"branch_{index}", **arguments)
        x, mask = block(x, halved), halved
        levels.append((x, mask))
    return [
        (layers.LayerNormalization(epsilon=1e-5, name=f"fpn_norm_{index}")(x), mask)
        for index, (x, mask) in enumerate(levels)
    ]


def masked_conv(x, mask, width, *, name, **arguments):
    """A convolution of three positions, 0 where the mask is."""
    layer = layers.Conv1D(
        width, 3, padding="same", data_format="channels_last", name=name, **arguments
    )
    return layers.Multiply(name=f"{name}_masked")([layer(x), mask])


def head(levels, width, depth, last, *, name):
    """Convolutions that all levels share, and what the `last` layer makes of each level."""
    shared = [
        (
            layers.Conv1D(width, 3, padding="same", use_bias=False, data_format="channels_last",
                          name=f"{name}_head_{index}"),
            layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm_{index}"),
        )
        for index in range(depth)
    ]  # fmt: skip
    outputs = []
    for level, (x, mask) in enumerate(levels):
        for index, (convolution, norm) in enumerate(shared):
            masked = layers.Multiply(name=f"{name}_masked_{level}_{index}")
            x = norm(masked([convolution(x), mask]))
            x = layers.ReLU(name=f"{name}_relu_{level}_{index}")(x)
        outputs.append(layers.Multiply(name=f"{name}_masked_{level}")([last(x), mask]))
    return outputs


def class_head(levels, classes, width, depth, activation):
    """Scores of all points, `(batch, points, classes)`; 0 where there is padding."""
    bias = keras.initializers.Constant(-math.log((1 - _PRIOR) / _PRIOR))
    last = layers.Conv1D(
        classes, 3, padding="same", bias_initializer=bias, data_format="channels_last",
        dtype="float32", name="cls_head",
    )  # fmt: skip
    # Logits of padding are so low that their sigmoid is 0.
    low = layers.Rescaling(_NOTHING, offset=-_NOTHING, dtype="float32", name="padding")
    logits = head(levels, width, depth, last, name="cls")
    logits = [
        layers.Add(dtype="float32", name=f"cls_logits_{level}")([x, low(mask)])
        for level, (x, (_, mask)) in enumerate(zip(logits, levels, strict=True))
    ]
    x = layers.Concatenate(axis=1, dtype="float32", name="classes")(logits)
    return layers.Activation(activation or "linear", dtype="float32", name="predictions")(x)


def offset_head(levels, width, depth):
    """Distances to start and end of all points, `(batch, points, 2)`."""
    last = layers.Conv1D(
        2, 3, padding="same", data_format="channels_last", dtype="float32", name="offset_head"
    )
    outputs = head(levels, width, depth, last, name="reg")
    outputs = [
        layers.ReLU(dtype="float32", name=f"offset_relu_{level}")(
            LearnedScale(dtype="float32", name=f"scale_{level}")(x)
        )
        for level, x in enumerate(outputs)
    ]
    return layers.Concatenate(axis=1, dtype="float32", name="offsets")(outputs)


def pooled(x, pooling):
    """The points of a pyramid as they are, or their mean or maximum.

    Raises:
        ValueError: for a `pooling` other than `None`, "avg" or "max".
    """
    if pooling is None:
        return x
    if pooling not in ("avg", "max"):
        raise ValueError(f"pooling={pooling!r}: expected None, 'avg' or 'max'.")
    kinds = {"avg": layers.GlobalAveragePooling1D, "max": layers.GlobalMaxPooling1D}
    return kinds[pooling](name=f"{pooling}_pool")(x)
