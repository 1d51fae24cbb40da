"""C3D: eight 3-D convolutions and two dense layers."""

from functools import partial

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import convolution, max_pool

__all__ = ["C3D", "decode_predictions", "preprocess_input"]

# Groups of convolutions (name, filters), what is pooled after each, and the padding of that.
GROUPS = (
    ((("1a", 64),), (1, 2, 2), 0),
    ((("2a", 128),), (2, 2, 2), 0),
    ((("3a", 256), ("3b", 256)), (2, 2, 2), 0),
    ((("4a", 512), ("4b", 512)), (2, 2, 2), 0),
    ((("5a", 512), ("5b", 512)), (2, 2, 2), (0, 1, 1)),
)


@documented
def C3D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=101,
    classifier_activation="softmax",
    name="c3d",
    *,
    feature_dim=4096,
    dropout=0.5,
):
    """3-D convolutional network (arXiv:1412.0767).

    Args:
        input_shape: `(frames, height, width, channels)`; `(16, 112, 112, 3)` if not given, the only
            one that published weights fit. At least 16 frames; no axis may be `None`.
        pooling: `None`, "avg" or "max", all the same: without the top, the features are
            `(batch, feature_dim)` already.
        feature_dim: units of the two dense layers.
        dropout: rate after both dense layers.

    Returns:
        A `keras.Model` from float clips, from which the training set's mean is subtracted, to
        `(batch, classes)` float32.

    Raises:
        ValueError: for an open axis, an unknown pooling, or arguments that no published weights
            have.
    """
    clip = clip_input(input_tensor, input_shape, (16, 112, 112, 3))
    if None in clip.shape[1:]:
        raise ValueError(f"input_shape={clip.shape[1:]}: C3D's dense layers need every size.")
    x = clip
    for index, (convolutions, pool, padding) in enumerate(GROUPS, start=1):
        for label, filters in convolutions:
            x = convolution(x, filters, 3, use_bias=True, name=f"conv{label}_conv")
            x = layers.ReLU(name=f"conv{label}_relu")(x)
        x = max_pool(x, pool, pool, padding=padding, name=f"pool{index}")
    # The published start of the dense layers.
    normal = partial(keras.initializers.RandomNormal, stddev=0.005)
    x = layers.Permute((4, 1, 2, 3), name="channels_first")(x)  # the published order of features
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(feature_dim, "relu", kernel_initializer=normal(), name="fc6")(x)
    x = layers.Dropout(dropout, name="dropout6")(x)
    x = layers.Dense(feature_dim, "relu", kernel_initializer=normal(), name="fc7")(x)
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"pooling={pooling!r}: expected None, 'avg' or 'max'.")
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=C3D,
        arguments={"feature_dim": feature_dim},
    )
