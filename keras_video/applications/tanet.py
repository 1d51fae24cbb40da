"""TANet: temporal adaptive network."""

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, clip_input
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.segment_head import require_static_frames, segment_head
from keras_video.layers.convolution import conv_bn
from keras_video.layers.fold import FoldTime
from keras_video.layers.residual import bottleneck, resnet
from keras_video.layers.temporal_adaptive import TemporalAdaptiveModule

__all__ = ["TANet", "decode_predictions", "preprocess_input"]


@documented
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

    An image network whose blocks convolve the features over time with a kernel predicted from the
    clip. Every frame is classified, and the logits are averaged over the clip. The weights depend
    on the number of frames.

    Args:
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given.
            Height and width may be `None`, but not frames.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        depth: of the ResNet: 50, 101 or 152.
        segments: frames of the default input.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unsupported depth, an unknown number of frames, or arguments that no
            published weights match.
    """
    if depth not in (50, 101, 152):
        raise ValueError(f"depth={depth!r}: expected 50, 101 or 152.")
    clip = clip_input(input_tensor, input_shape, (segments, 224, 224, 3))
    frames = require_static_frames(clip)

    def conv1(x, filters, *, name):
        x = conv_bn(x, filters, name=name)
        name = name.removesuffix("_conv1")
        return TemporalAdaptiveModule(frames, name=f"{name}_tam")(x)

    def block(x, filters, strides, *, name):
        return bottleneck(x, filters, strides, conv1=conv1, name=name)

    x = FoldTime(name="fold_time")(clip)
    x = resnet(x, depth, lambda stage, index: block)[-1]
    x = segment_head(
        x,
        frames,
        include_top=include_top,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        dropout=dropout,
    )
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=TANet,
        arguments={"depth": depth, "segments": frames},
    )
