"""TRN: temporal relation network."""

import functools

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.segment_head import require_static_frames
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.residual import RESNET_BLOCKS, resnet
from keras_video.layers.temporal_relation import MultiScaleRelation, TemporalRelation

__all__ = ["TRN", "decode_predictions", "preprocess_input"]


@documented
def TRN(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="trn",
    *,
    depth=50,
    segments=8,
    relation="multi_scale",
    hidden_dim=256,
    dropout=0.8,
    relation_picks=None,
    seed=0,
):
    """Temporal relation network (arXiv:1711.08496).

    An image network processes every frame; small networks over ordered tuples of frames compute
    the logits. The weights depend on the number of frames.

    Args:
        include_top: whether to include the projection, the relations and the predictions.
        input_shape: `(frames, height, width, channels)`; `(segments, 224, 224, 3)` if not given.
            Height and width may be `None`, but not frames.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, c)`),
            "avg" or "max" (features `(batch, c)`).
        depth: of the ResNet: 18, 34, 50, 101 or 152.
        segments: frames of the default input.
        relation: "multi_scale" relates tuples of 2, 3, ... up to all frames, "plain" all frames.
        hidden_dim: width of the frame features that are related.
        dropout: rate before the projection to this width.
        relation_picks: tuples of the multi-scale relation to use for inference, see
            `keras_video.layers.MultiScaleRelation`; drawn with `seed` if not given.
        seed: seed for drawing tuples, including those of training.

    Raises:
        ValueError: for an unsupported depth or relation, an unknown number of frames, picks that do
            not fit, or arguments that no published weights match.
    """
    if depth not in RESNET_BLOCKS:
        raise ValueError(f"depth={depth!r}: expected one of {', '.join(map(str, RESNET_BLOCKS))}.")
    clip = clip_input(input_tensor, input_shape, (segments, 224, 224, 3))
    frames = require_static_frames(clip)
    relate = functools.partial(
        relate_frames, frames=frames, classes=classes, relation=relation, picks=relation_picks,
        seed=seed,
    )  # fmt: skip
    x = FoldTime(name="fold_time")(clip)
    x = resnet(x, depth)[-1]
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)  # (b*t, c)
        x = classifier(x, hidden_dim, classifier_activation, dropout, stddev=0.001, reduce=relate)
    else:
        x = pool_features(UnfoldTime(frames, name="unfold_time")(x), pooling)
    arguments = {"depth": depth, "segments": frames, "relation": relation, "hidden_dim": hidden_dim}
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=TRN,
        arguments=arguments,
    )


def relate_frames(x, *, frames, classes, relation, picks, seed):
    """Clip logits `(batch, classes)` from folded frame features `(batch * frames, c)`."""
    x = UnfoldTime(frames, dtype="float32", name="unfold_time")(x)
    return relation_logits(x, relation=relation, classes=classes, picks=picks, seed=seed)


def relation_logits(x, *, relation, classes, picks, seed):
    """Clip logits `(batch, classes)` from frame features `(batch, frames, c)`.

    Raises:
        ValueError: for a relation other than "plain" and "multi_scale".
    """
    if relation == "plain":
        return TemporalRelation(classes, dtype="float32", name="consensus_classifier")(x)
    if relation != "multi_scale":
        raise ValueError(f"relation={relation!r}: expected 'multi_scale' or 'plain'.")
    return MultiScaleRelation(
        x.shape[1], classes, picks=picks, seed=seed, dtype="float32", name="consensus"
    )(x)
