"""C3D: eight 3-D convolutions and two dense layers."""

from functools import partial

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import convolution, max_pool

__all__ = ["C3D", "decode_predictions", "preprocess_input"]

# Groups of convolutions (name, filters), and the size and padding of the pooling after each.
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
            shape that published weights fit. At least 16 frames; no axis may be `None`.
        pooling: `None`, "avg" or "max", with no difference: without the top, the features already
            have shape `(batch, feature_dim)`.
        feature_dim: units of the two dense layers.
        dropout: rate after both dense layers.

    Returns:
        A `keras.Model` from float clips minus the mean of the training set to `(batch, classes)`
        float32.

    Raises:
        ValueError: for an unknown axis (`None`), an unknown pooling, or arguments that no published
            weights match.
    """
    clip = clip_input(input_tensor, input_shape, (16, 112, 112, 3))
    if None in clip.shape[1:]:
        raise ValueError(
            f"input_shape={clip.shape[1:]}: the dense layers of C3D need every size to be known."
        )
    x = clip
    for index, (convolutions, pool, padding) in enumerate(GROUPS, start=1):
        for label, filters in convolutions:
            x = convolution(x, filters, 3, use_bias=True, name=f"conv{label}_conv")
            x = layers.ReLU(name=f"conv{label}_relu")(x)
        x = max_pool(x, pool, pool, padding=padding, name=f"pool{index}")
    # The initialization published for the dense layers.
    normal = partial(keras.initializers.RandomNormal, stddev=0.005)
    # Published weights expect channels-first features.
    x = layers.Permute((4, 1, 2, 3), name="channels_first")(x)
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
