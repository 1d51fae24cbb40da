"""TSN: temporal segment networks."""

from functools import partial

import keras
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.trn import relation_logits
from keras_video.layers.attention import AttentivePooling
from keras_video.layers.densenet import densenet161
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.mobilenet_v2 import mobilenet_v2
from keras_video.layers.residual import RESNET_BLOCKS, resnet
from keras_video.layers.resnext import resnext
from keras_video.layers.swin import swin_base

__all__ = ["TSN", "decode_predictions", "preprocess_input"]

# Functions from frames to the list of stage outputs.
BODIES = {
    **{f"resnet{depth}": partial(resnet, depth=depth) for depth in RESNET_BLOCKS},
    "resnext101_32x4d": resnext,
    "densenet161": densenet161,
    "swin_base": swin_base,
    "mobilenet_v2": mobilenet_v2,
}
HEADS = ("mean", "attentive", "trn")
# Channels per head of the attentive pooling, as in most vision transformers.
_HEAD_WIDTH = 64


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
    head="mean",
    hidden_dim=256,
):
    """Temporal segment network (arXiv:1608.00859).

    An image network processes one frame from every segment of a video, and the mean of the frame
    features is classified. The weights do not depend on the number of frames: any number can be
    used, except with the head "trn".

    Args:
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given,
            or the input of a custom backbone. Frames, height and width may be `None` (except height
            and width for "swin_base"). Stacked optical flow has 10 channels.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        backbone: "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2",
            "resnext101_32x4d", "densenet161" or "swin_base"; or any Keras image model without its
            classifier, from `(n, height, width, channels)` to features `(n, h, w, c)`, tokens
            `(n, tokens, c)` (DINOv2, DINOv3 and CLIP of KerasHub) or `(n, c)` (SigLIP); or a video
            model from clips `(n, frames, height, width, channels)` to `(n, frames, h, w, c)`,
            `(n, frames, tokens, c)` (VideoPrism), `(n, tokens, c)` or `(n, c)`. It becomes part of
            the model, and its weights are shared. They are trained unless it is frozen beforehand
            (`backbone.trainable = False`). Clips must be normalized as it expects.
        segments: frames of the default input; a video model defines its own number.
        dropout: rate before the classifier.
        head: how features are aggregated before classification: "mean", the mean of all features;
            "attentive", attentive pooling with one learned query (the probe of V-JEPA 2,
            arXiv:2506.09985); "trn", multi-scale relations of ordered frames (arXiv:1711.08496), in
            which case the weights depend on the number of frames.
        hidden_dim: for "trn", the width of the frame features that are related.

    Raises:
        ValueError: for an unknown backbone or head, a backbone that does not return features, an
            unknown number of frames or a single one with "trn", or arguments that no published
            weights match.
    """
    if head not in HEADS:
        raise ValueError(f"head={head!r}: expected one of {', '.join(HEADS)}.")
    default = default_shape(backbone, segments)
    clip = clip_input(input_tensor, input_shape, default)
    x = clip_features(clip, backbone)  # (batch, frames, h/32, w/32, c)
    if include_top:
        x = _classified(x, head, hidden_dim, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    arguments = {"backbone": getattr(backbone, "name", backbone), "head": head}
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=TSN,
        arguments=arguments,
    )


def _classified(x, head, hidden_dim, classes, activation, dropout):
    """Predictions from features `(batch, frames, h, w, c)`."""
    width = x.shape[-1]
    if head == "mean":
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        return classifier(x, classes, activation, dropout)
    if head == "attentive":
        x = layers.Reshape((-1, width), name="frame_tokens")(x)
        heads = width // _HEAD_WIDTH if width % _HEAD_WIDTH == 0 else 1
        x = AttentivePooling(heads, name="pooler")(x)
        return classifier(x, classes, activation, dropout)
    frames = x.shape[1]
    if frames is None or frames < 2:
        raise ValueError(
            f"head='trn': received features of {'any number of' if frames is None else frames} "
            "frames, expected at least 2, fixed by input_shape."
        )
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D(), name="avg_pool")(x)
    relate = partial(relation_logits, relation="multi_scale", classes=classes, picks=None, seed=0)
    return classifier(x, hidden_dim, activation, dropout, stddev=0.001, reduce=relate)


def default_shape(backbone, segments):
    """The default clip shape of a backbone, `(frames, height, width, channels)`.

    Raises:
        ValueError: if it is neither a Keras model over images or clips nor a known name.
    """
    if isinstance(backbone, str) and backbone in BODIES:
        return (segments, 224, 224, 3)
    if not isinstance(backbone, keras.Model):
        raise ValueError(
            f"backbone={backbone!r}: expected a Keras image model or one of {', '.join(BODIES)}."
        )
    shape = backbone.input_shape
    if not isinstance(shape, tuple) or len(shape) not in (4, 5):
        raise ValueError(
            f"backbone {backbone.name!r} takes {shape}, not images (n, height, width, channels) or "
            "clips (n, frames, height, width, channels)."
        )
    usual = (segments, 224, 224, 3)[-(len(shape) - 1) :]
    sizes = tuple(size or default for size, default in zip(shape[1:], usual, strict=True))
    return sizes if len(shape) == 5 else (segments, *sizes)


def clip_features(clip, backbone):
    """Features `(batch, frames, h, w, c)` of clips; a video model may return fewer frames.

    Raises:
        ValueError: if the backbone does not return features; the message quotes its output.
    """
    if isinstance(backbone, keras.Model) and len(backbone.input_shape) == 5:
        return video_features(backbone(clip), backbone)
    x = FoldTime(name="fold_time")(clip)
    x = image_features(x, backbone)
    return UnfoldTime(name="unfold_time")(x, clip)


def image_features(x, backbone):
    """Features `(n, h, w, c)` of frames; tokens `(n, tokens, c)` form one column (`w` is 1).

    Raises:
        ValueError: if the backbone returns anything but `(n, h, w, c)`, `(n, tokens, c)` or
            `(n, c)`.
    """
    if isinstance(backbone, str):
        return BODIES[backbone](x)[-1]
    features = backbone(x)
    rank = _rank(features)
    if rank not in (2, 3, 4):
        raise ValueError(
            f"backbone {backbone.name!r} returns {features}, not features (n, h, w, c), "
            "(n, tokens, c) or (n, c)."
        )
    return features if rank == 4 else _spread(features, 2)


def video_features(features, backbone):
    """Features `(n, frames, h, w, c)` from the output of a video model.

    Raises:
        ValueError: if it is anything but `(n, frames, h, w, c)`, `(n, frames, tokens, c)`,
            `(n, tokens, c)` or `(n, c)`.
    """
    rank = _rank(features)
    if rank not in (2, 3, 4, 5):
        raise ValueError(
            f"backbone {backbone.name!r} returns {features}, not features (n, frames, h, w, c), "
            "(n, frames, tokens, c), (n, tokens, c) or (n, c)."
        )
    if rank == 4:
        frames, tokens, width = features.shape[1:]
        return layers.Reshape((frames, -1 if tokens is None else tokens, 1, width), name="pixel")(
            features
        )
    return features if rank == 5 else _spread(features, 3)


def _rank(features):
    return len(features.shape) if keras.utils.is_keras_tensor(features) else None


def _spread(features, axes):
    """Features `(n, c)` or tokens `(n, tokens, c)` with `axes` position axes before `c`."""
    tokens = features.shape[1] if len(features.shape) == 3 else 1
    shape = [1] * (axes - 2) + [-1 if tokens is None else tokens, 1]
    return layers.Reshape((*shape, features.shape[-1]), name="pixel")(features)
