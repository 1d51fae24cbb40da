"""S3D: Inception with convolutions factorized into space and time."""

from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn, max_pool
from keras_video.layers.sliding_mean import SlidingMean

__all__ = ["S3D", "decode_predictions", "preprocess_input"]

# Filters of the branches of an Inception module: 1x1x1; 1x1x1 and 3x3x3, twice; after the pooling.
# By stage; `POOLS` lists the pooling before each stage.
MODULES = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)
# Size, strides and padding of the pooling before each stage.
POOLS = (
    ((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ((3, 3, 3), (2, 2, 2), (1, 1, 1)),
    ((2, 2, 2), (2, 2, 2), (0, 0, 0)),
)
# Window of features per classification: the features of 14 frames of 224 pixels.
WINDOW = (2, 7, 7)

unit = partial(conv_bn, epsilon=1e-3, momentum=0.999)


@documented
def S3D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="s3d",
    *,
    dropout=0.2,
):
    """Separable 3-D Inception (arXiv:1712.04851), as in torchvision.

    The classifier is applied to sliding windows of 2x7x7 features, and its logits are averaged: on
    larger clips, features at the edges count less than those in the middle.

    Args:
        input_shape: `(frames, height, width, channels)`; `(128, 224, 224, 3)` if not given.
            Frames, height and width may be `None`; clips then need at least 14 frames of 224
            pixels. If they are known and smaller, a single window covers all features.
        pooling: without the top: `None` (features `(batch, frames/8, height/32, width/32, 1024)`),
            "avg" or "max" (features `(batch, 1024)`).
        dropout: rate before the classifier.

    Raises:
        ValueError: for fewer than 5 frames, or arguments that no published weights match.
    """
    clip = clip_input(input_tensor, input_shape, (128, 224, 224, 3))
    check_frames(clip.shape[1])
    x = separable(clip, 64, 7, 2, name="features_0")
    x = max_pool(x, (1, 3, 3), (1, 2, 2), padding=(0, 1, 1), name="features_1")
    x = unit(x, 64, name="features_2")
    x = separable(x, 192, 3, name="features_3")
    number = 4
    for (size, strides, padding), modules in zip(POOLS, MODULES, strict=True):
        x = max_pool(x, size, strides, padding=padding, name=f"features_{number}")
        for position, widths in enumerate(modules, 1):
            x = inception(x, *widths, name=f"features_{number + position}")
        number += len(modules) + 1
    if include_top:
        mean = layers.GlobalAveragePooling3D(dtype="float32", name="consensus")
        x = SlidingMean(WINDOW, name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout, reduce=mean)
    else:
        x = pool_features(x, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=S3D,
        arguments={},
    )


def check_frames(frames):
    """Raises a ValueError for clips that are too short for the poolings."""
    if frames is not None and frames < 5:
        raise ValueError(f"input_shape: {frames} frames, expected at least 5.")


def separable(x, filters, size, stride=1, *, name):
    """A spatial and then a temporal convolution, each with norm and ReLU."""
    x = unit(x, filters, (1, size, size), (1, stride, stride), name=f"{name}_0")
    return unit(x, filters, (size, 1, 1), (stride, 1, 1), name=f"{name}_1")


def inception(x, single, first, second, pooled, *, name):
    """An Inception module of four concatenated branches, see `MODULES`."""
    branches = [unit(x, single, name=f"{name}_branch0")]
    for number, (reduced, filters) in enumerate((first, second), 1):
        branch = unit(x, reduced, name=f"{name}_branch{number}_0")
        branches.append(separable(branch, filters, 3, name=f"{name}_branch{number}_1"))
    branch = max_pool(x, 3, 1, padding=1, name=f"{name}_branch3_0")
    branches.append(unit(branch, pooled, name=f"{name}_branch3_1"))
    return layers.Concatenate(name=f"{name}_joined")(branches)
