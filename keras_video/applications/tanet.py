"""TANet: temporal adaptive network."""

from keras_video.applications.frame_head import frame_head, known_frames
from keras_video.applications.model import clip_input, finish
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.pretrained import load_pretrained
from keras_video.layers.convolution import conv_bn
from keras_video.layers.fold import FoldTime
from keras_video.layers.residual import bottleneck, resnet
from keras_video.layers.temporal_adaptive import TemporalAdaptiveModule

__all__ = ["TANet", "decode_predictions", "preprocess_input"]


def TANet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="tanet",
    *,
    depth=50,
    segments=8,
    dropout=0.5,
):
    """Temporal adaptive network (arXiv:2005.06803).

    An image network in whose blocks the features are convolved over time with a kernel that is
    made from the clip. Every frame is classified; a clip's logits are the mean. The number of
    frames is part of the weights.

    Args:
        include_top: whether to have the classifier.
        weights: see `keras_video.applications.pretrained.load_pretrained`.
        input_tensor: a Keras tensor to build on.
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given.
            Height and width may be `None`, frames may not.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        classes: number of outputs.
        classifier_activation: "softmax", "sigmoid" for several labels, `None` for logits.
        depth: of the ResNet: 50, 101 or 152.
        segments: frames of the default input.
        dropout: rate before the classifier.

    Returns:
        A `keras.Model` from normalised float clips to `(batch, classes)` float32.

    Raises:
        ValueError: for another depth, an open number of frames, or arguments that no published
            weights have.
    """
    if depth not in (50, 101, 152):
        raise ValueError(f"depth={depth!r}: expected 50, 101 or 152.")
    clip = clip_input(input_tensor, input_shape, (segments, 224, 224, 3))
    frames = known_frames(clip)

    def conv1(x, filters, *, name):
        x = conv_bn(x, filters, name=name)
        name = name.removesuffix("_conv1")
        return TemporalAdaptiveModule(frames, name=f"{name}_tam")(x)

    def block(x, filters, strides, *, name):
        return bottleneck(x, filters, strides, conv1=conv1, name=name)

    x = FoldTime(name="fold_time")(clip)
    x = resnet(x, depth, lambda stage, index: block)[-1]
    x = frame_head(
        x,
        frames,
        include_top=include_top,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        dropout=dropout,
    )
    return load_pretrained(
        finish(clip, input_tensor, x, name),
        weights,
        constructor="TANet",
        arguments={"depth": depth, "segments": frames},
        include_top=include_top,
        classes=classes,
    )
