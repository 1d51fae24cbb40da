"""TSN: temporal segment networks."""

from functools import partial

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.densenet import densenet161
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.mobilenet_v2 import mobilenet_v2
from keras_video.layers.residual import RESNET_BLOCKS, resnet
from keras_video.layers.resnext import resnext
from keras_video.layers.swin import swin_base

__all__ = ["TSN", "decode_predictions", "preprocess_input"]

# Functions from frames to the outputs of the stages.
BODIES = {
    **{f"resnet{depth}": partial(resnet, depth=depth) for depth in RESNET_BLOCKS},
    "resnext101_32x4d": resnext,
    "densenet161": densenet161,
    "swin_base": swin_base,
    "mobilenet_v2": mobilenet_v2,
}


@documented
def TSN(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="tsn",
    *,
    backbone="resnet50",
    segments=3,
    dropout=0.4,
):
    """Temporal segment network (arXiv:1608.00859).

    An image network sees one frame of every segment of a video; the mean of the frames' features
    is classified. The number of frames is not part of the weights: any number can be used.

    Args:
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given,
            or what an image model of one's own takes. Frames, height and width may be `None`
            (height and width not for "swin_base"). Stacked flow has 10 channels.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        backbone: "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2",
            "resnext101_32x4d", "densenet161" or "swin_base"; or any Keras image model without its
            classifier, from `(n, height, width, channels)` to features `(n, h, w, c)` or
            `(n, c)`. It becomes part of the model, its weights are shared and trained, and clips
            are to be normalised as it wants.
        segments: frames of the default input.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unknown backbone, one that does not give features, or arguments that no
            published weights have.
    """
    clip = clip_input(input_tensor, input_shape, (segments, *image_shape(backbone)))
    x = FoldTime(name="fold_time")(clip)
    x = image_features(x, backbone)
    x = UnfoldTime(name="unfold_time")(x, clip)  # (batch, frames, h/32, w/32, c)
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
        constructor=TSN,
        arguments={"backbone": getattr(backbone, "name", backbone)},
    )


def image_shape(backbone):
    """Height, width and channels of the frames that a backbone takes by default.

    Raises:
        ValueError: if it is neither a Keras model of images nor a known name.
    """
    if isinstance(backbone, str) and backbone in BODIES:
        return (224, 224, 3)
    if not isinstance(backbone, keras.Model):
        raise ValueError(
            f"backbone={backbone!r}: expected a Keras image model or one of {', '.join(BODIES)}."
        )
    shape = backbone.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ValueError(
            f"backbone {backbone.name!r} takes {shape}, not images (n, height, width, channels)."
        )
    return tuple(size or default for size, default in zip(shape[1:], (224, 224, 3), strict=True))


def image_features(x, backbone):
    """Features `(n, h, w, c)` of frames.

    Raises:
        ValueError: if the backbone gives anything else than `(n, h, w, c)` or `(n, c)`.
    """
    if isinstance(backbone, str):
        return BODIES[backbone](x)[-1]
    features = backbone(x)
    rank = len(features.shape) if keras.utils.is_keras_tensor(features) else None
    if rank == 2:
        return layers.Reshape((1, 1, features.shape[-1]), name="pixel")(features)
    if rank != 4:
        raise ValueError(
            f"backbone {backbone.name!r} gives {features}, not features (n, h, w, c) or (n, c)."
        )
    return features
