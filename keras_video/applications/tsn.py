"""TSN: temporal segment networks."""

from keras import layers

from keras_video.applications.model import classifier, clip_input, finish, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.pretrained import load_pretrained
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.residual import RESNET_BLOCKS, resnet

__all__ = ["TSN", "decode_predictions", "preprocess_input"]

DEPTHS = {f"resnet{depth}": depth for depth in RESNET_BLOCKS}


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
        include_top: whether to have the classifier.
        weights: see `keras_video.applications.pretrained.load_pretrained`.
        input_tensor: a Keras tensor to build on.
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given.
            Frames, height and width may be `None`. Stacked flow has 10 channels.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        classes: number of outputs.
        classifier_activation: "softmax", "sigmoid" for several labels, `None` for logits.
        backbone: "resnet18", "resnet34", "resnet50", "resnet101" or "resnet152".
        segments: frames of the default input.
        dropout: rate before the classifier.

    Returns:
        A `keras.Model` from normalised float clips to `(batch, classes)` float32.

    Raises:
        ValueError: for an unknown backbone, or arguments that no published weights have.
    """
    if backbone not in DEPTHS:
        raise ValueError(f"backbone={backbone!r}: expected one of {', '.join(DEPTHS)}.")
    clip = clip_input(input_tensor, input_shape, (segments, 224, 224, 3))
    x = FoldTime(name="fold_time")(clip)
    x = resnet(x, DEPTHS[backbone])[-1]
    x = UnfoldTime(name="unfold_time")(x, clip)  # (batch, frames, h/32, w/32, c)
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    model = finish(clip, input_tensor, x, name)
    return load_pretrained(
        model,
        weights,
        constructor="TSN",
        arguments={"backbone": backbone},
        include_top=include_top,
        classes=classes,
    )
