"""TPN: temporal pyramid network."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.slowonly import slow_features
from keras_video.applications.tsm import shifted_blocks
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.pyramid import AuxiliaryClassifier, temporal_pyramid
from keras_video.layers.residual import resnet

__all__ = ["TPN", "decode_predictions", "preprocess_input"]


@documented
def TPN(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="tpn",
    *,
    backbone="slowonly_r50",
    segments=8,
    auxiliary=False,
    dropout=0.5,
):
    """Temporal pyramid network (arXiv:2004.03548): the last two stages at several frame rates.

    For training, an auxiliary classifier reads the third stage. With `auxiliary` the model also
    returns its logits: train such a model with two cross-entropies of weights 1 and 0.5 on the same
    labels, then load its weights into a model without `auxiliary`, which has the same variables.

    Args:
        include_top: whether to include the classifiers.
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given.
            Height and width may be `None`, and frames with "slowonly_r50".
        pooling: without the top: `None` (features `(batch, frames/8, height/32, width/32, 2048)`),
            "avg" or "max" (features `(batch, 2048)`).
        backbone: "slowonly_r50" or "tsm_r50".
        segments: frames of the default input.
        auxiliary: whether the model returns the pair of predictions and auxiliary logits.
        dropout: rate before the classifiers.

    Returns:
        A `keras.Model` from normalized float clips to `(batch, classes)` float32; with `auxiliary`,
        to a pair of these.

    Raises:
        ValueError: for an unknown backbone, or arguments that no published weights match.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"backbone={backbone!r}: expected one of {', '.join(BACKBONES)}.")
    clip = clip_input(input_tensor, input_shape, (segments, 224, 224, 3))
    third, fourth = BACKBONES[backbone](clip)
    x = temporal_pyramid([third, fourth], name="neck")
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        x = AuxiliaryClassifier(classes, auxiliary, dropout, name="neck_aux_head")(x, third)
        x, *logits = x if auxiliary else (x,)
        x = [classifier(x, classes, classifier_activation, dropout), *logits]
        x = x if auxiliary else x[0]
    else:
        x = pool_features(x, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=TPN,
        arguments={"backbone": backbone},
    )


def slow_stages(clip):
    """The outputs of the third and fourth stages of SlowOnly-50."""
    return slow_features(clip, 50)[2:]


def shifted_stages(clip):
    """The outputs of the third and fourth stages of TSM-ResNet-50, `(batch, frames, h, w, c)`."""
    frames = clip.shape[1]
    if frames is None:
        raise ValueError("backbone='tsm_r50': expected a known number of frames, got None.")
    x = FoldTime(name="fold_time")(clip)
    third, fourth = resnet(x, 50, shifted_blocks(50, frames))[2:]
    return (
        UnfoldTime(frames, name="unfold_layer3")(third),
        UnfoldTime(frames, name="unfold_layer4")(fourth),
    )


BACKBONES = {"slowonly_r50": slow_stages, "tsm_r50": shifted_stages}
