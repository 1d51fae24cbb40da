"""ActionFormer: temporal action localization from the features of a long video."""

import math

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, clip_input
from keras_video.applications.preprocessing import decode_predictions
from keras_video.layers.local_attention import LearnedScale, LocalTransformerBlock, SequenceMask

__all__ = ["ActionFormer", "decode_predictions", "pyramid_strides"]

# Initial probability of every class, so that the many points without an action weigh little.
_PRIOR = 0.01
# Subtracted from the logits of padding.
_PADDING_LOGIT = 1e4


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
    """ActionFormer (arXiv:2202.07925): a temporal pyramid with local attention.

    Every point of the pyramid predicts the probability of each class of action there, and the
    distances to the action's start and end. `training.span_targets` creates the training targets,
    `inference.detect_spans` converts the outputs to spans, and `inference.window_features` extracts
    the input features with a video model.

    Args:
        input_shape: `(length, channels)`; `(None, 2048)` if not given. The length must be a
            multiple of the pyramid's last stride, 32 by default; pad shorter sequences with zeros
            at the end.
        pooling: without the top: `None` (the points of all levels `(batch, points, embed_dim)`,
            finest level first), "avg" or "max" over them (features `(batch, embed_dim)`).
        classifier_activation: "sigmoid", or `None` for logits.
        embed_dim: width of the network.
        num_heads: attention heads.
        depths: convolutions of the stem, blocks before the pyramid, and blocks that halve the
            sequence, which number one less than the levels of the pyramid.
        window: size of the attention window, odd; `None` for global attention.
        head_depth: convolutions of each head before the last one.
        dropout: dropout rate within the blocks.
        drop_path: probability that an example skips a branch in training.
        layer_scale: initial value of a learned scale of the branches; `None` for no scale.

    Returns:
        A `keras.Model` from features `(batch, length, channels)` to a dictionary of float32:
        "classes" `(batch, points, classes)` and "offsets" `(batch, points, 2)`, the distances to
        start and end, in strides of the point's level. The points of the finest level, one per
        input feature, come first.

    Raises:
        ValueError: for a length that the last stride does not divide, an unsupported activation, or
            arguments that no published weights match.
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
    """The strides of the levels of a pyramid, in features: 1, 2, 4, ..."""
    return tuple(2**level for level in range(levels))


def _check_length(length, halvings):
    stride = 2**halvings
    if length is not None and length % stride:
        raise ValueError(
            f"received sequences of {length} features, expected a multiple of {stride}, the last "
            "stride of the pyramid"
        )


def pyramid(x, width, depths, *, heads, window, **arguments):
    """The normalized levels of the pyramid: `[(features, mask), ...]`, finest first.

    Args:
        x: features `(batch, length, channels)`.
        width: width of the network.
        depths: see `ActionFormer`.
        heads, window, **arguments: arguments of every `LocalTransformerBlock`.
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
        # A pool size of 1 takes every second position.
        halved = layers.MaxPooling1D(1, 2, data_format="channels_last", name=f"mask_{index}")(mask)
        block = LocalTransformerBlock(heads, window, 2, name=f"branch_{index}", **arguments)
        x, mask = block(x, halved), halved
        levels.append((x, mask))
    return [
        (layers.LayerNormalization(epsilon=1e-5, name=f"fpn_norm_{index}")(x), mask)
        for index, (x, mask) in enumerate(levels)
    ]


def masked_conv(x, mask, width, *, name, **arguments):
    """A convolution of kernel size 3 whose output is 0 where the mask is 0."""
    layer = layers.Conv1D(
        width, 3, padding="same", data_format="channels_last", name=name, **arguments
    )
    return layers.Multiply(name=f"{name}_masked")([layer(x), mask])


def head(levels, width, depth, last, *, name):
    """The outputs per level of shared convolutions followed by the layer `last`."""
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
    """Scores of all points, `(batch, points, classes)`; 0 at padding after a sigmoid."""
    bias = keras.initializers.Constant(-math.log((1 - _PRIOR) / _PRIOR))
    last = layers.Conv1D(
        classes, 3, padding="same", bias_initializer=bias, data_format="channels_last",
        dtype="float32", name="cls_head",
    )  # fmt: skip
    # Logits of padding become so low that their sigmoid is 0.
    padding_offset = layers.Rescaling(
        _PADDING_LOGIT, offset=-_PADDING_LOGIT, dtype="float32", name="padding"
    )
    logits = head(levels, width, depth, last, name="cls")
    logits = [
        layers.Add(dtype="float32", name=f"cls_logits_{level}")([x, padding_offset(mask)])
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
    """The points of a pyramid unchanged, or their mean or maximum.

    Raises:
        ValueError: for a `pooling` other than `None`, "avg" or "max".
    """
    if pooling is None:
        return x
    if pooling not in ("avg", "max"):
        raise ValueError(f"pooling={pooling!r}: expected None, 'avg' or 'max'.")
    poolings = {"avg": layers.GlobalAveragePooling1D, "max": layers.GlobalMaxPooling1D}
    return poolings[pooling](name=f"{pooling}_pool")(x)
