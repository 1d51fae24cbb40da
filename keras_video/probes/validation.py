"""Cross-validation of heads."""

import numpy as np

from keras_video.probes.folds import stratified_folds
from keras_video.probes.heads import class_weights, fit_head
from keras_video.progress import progress_bar


def fit_videos(kind, features, labels, classes, *, balanced=True, neighbors=5, seed=0):
    """Trains a head on videos: every view is an example with a fraction of the video's weight.

    Args:
        features: `(videos, views, ...)`.
        kind, labels, classes, neighbors, seed: see `fit_head`.
        balanced: whether every class has the same total weight.
    """
    labels, views = np.asarray(labels), features.shape[1]
    weights = class_weights(labels, classes) if balanced else np.ones(len(labels))
    return fit_head(
        kind,
        features.reshape(-1, *features.shape[2:]),
        np.repeat(labels, views),
        classes,
        weights=np.repeat(weights / views, views),
        neighbors=neighbors,
        seed=seed,
    )


def video_scores(head, features, score_average="prob"):
    """Probabilities `(videos, classes)` from features `(videos, views, ...)`.

    Args:
        score_average: "prob" (mean of the views' probabilities) or "score" (of their logits).
    """
    videos, views = features.shape[:2]
    logits = head.logits(features.reshape(-1, *features.shape[2:])).reshape(videos, views, -1)
    if score_average == "score":
        return _softmax(logits.mean(1))
    return _softmax(logits).mean(1)


def cross_validate(
    kind,
    features,
    labels,
    classes,
    *,
    folds=5,
    groups=None,
    balanced=True,
    neighbors=5,
    score_average="prob",
    seed=0,
    verbose=1,
):
    """Probabilities of every video from a head trained on the other folds.

    Args:
        kind: one of `HEADS`.
        features: `(videos, views, ...)`, see `VideoFeatures`.
        labels: class indices `(videos,)`.
        classes: number of classes.
        folds: number of folds, each held out once.
        groups: a number per video; those with the same number are held out together.
        balanced, neighbors, seed: see `fit_videos`.
        score_average: see `video_scores`.
        verbose: 0 shows no progress.

    Returns:
        float32 `(videos, classes)`.
    """
    assignment = stratified_folds(labels, folds, groups=groups, seed=seed)
    scores = np.zeros((len(labels), classes), np.float32)
    bar = progress_bar(len(np.unique(assignment)), "fold", verbose)
    for fold in np.unique(assignment):
        held_out = assignment == fold
        if held_out.all():
            raise ValueError(f"folds={folds}: all {len(labels)} videos are copies of one video.")
        head = fit_videos(
            kind,
            features[~held_out],
            np.asarray(labels)[~held_out],
            classes,
            balanced=balanced,
            neighbors=neighbors,
            seed=seed,
        )
        scores[held_out] = video_scores(head, features[held_out], score_average)
        bar.add(1)
    return scores


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
