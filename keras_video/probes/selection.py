"""Active learning: selects the unlabeled videos to label next."""

from dataclasses import dataclass

import numpy as np

STRATEGIES = ("margin", "entropy", "core-set")


@dataclass(frozen=True)
class Candidate:
    """A selected unlabeled video.

    Attributes:
        index: index of the video among the given ones.
        score: how informative its label would be; comparable within one selection only.
        scores: probabilities of the classes, float32 `(classes,)`; `None` without labeled videos.
    """

    index: int
    score: float
    scores: np.ndarray | None


def rank_unlabeled(strategy, features, *, scores=None, labeled=None, count=None):
    """Selects unlabeled videos, the most informative first.

    Args:
        strategy: "margin" (smallest difference between the two most probable classes), "entropy"
            (highest entropy) or "core-set" (each next video is the farthest from all that are
            labeled or selected, arXiv:1708.00489; without labeled videos the first is the nearest
            to the mean).
        features: float `(videos, width)` of the unlabeled videos.
        scores: probabilities `(videos, classes)`; optional for "core-set".
        labeled: features `(videos, width)` of the labeled videos; for "core-set".
        count: number of videos to select; all if `None`.

    Returns:
        List of `Candidate`.

    Raises:
        ValueError: for an unknown strategy, missing scores or a count below 1.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r}: expected one of {', '.join(STRATEGIES)}.")
    if count is not None and count < 1:
        raise ValueError(f"count={count}: expected at least 1.")
    if strategy == "core-set":
        ranked = _core_set(np.asarray(features, np.float64), labeled, count)
    elif scores is None:
        raise ValueError(
            f"strategy={strategy!r}: needs labeled videos to train a classifier on; 'core-set' "
            "does not."
        )
    else:
        uncertainty = _uncertainty(strategy, np.asarray(scores, np.float64))
        order = np.argsort(-uncertainty, kind="stable")[:count]
        ranked = [(int(index), float(uncertainty[index])) for index in order]
    return [Candidate(i, score, None if scores is None else scores[i]) for i, score in ranked]


def _uncertainty(strategy, scores):
    """Uncertainty per video, from 0 (certain) to 1."""
    if strategy == "margin":
        best = np.sort(scores, axis=1)[:, -2:]
        return 1 - (best[:, 1] - best[:, 0])
    logs = np.log(np.maximum(scores, 1e-12))
    return -(scores * logs).sum(1) / np.log(scores.shape[1])


def _core_set(features, labeled, count):
    """Greedy k-center: `[(index, distance when it was selected)]`."""
    every = features if labeled is None else np.concatenate([features, labeled])
    mean, deviation = every.mean(0), every.std(0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    features = (features - mean) / deviation
    if labeled is None or not len(labeled):
        nearest = np.full(len(features), np.inf)
        first = int(np.linalg.norm(features - features.mean(0), axis=1).argmin())
    else:
        nearest = _distances(features, (np.asarray(labeled) - mean) / deviation).min(1)
        first = int(nearest.argmax())
    chosen = []
    for _ in range(min(count or len(features), len(features))):
        index = int(nearest.argmax()) if chosen else first
        distance = nearest[index]
        chosen.append((index, float(distance) if np.isfinite(distance) else 0.0))
        nearest = np.minimum(nearest, np.linalg.norm(features - features[index], axis=1))
        nearest[index] = -1.0
    return chosen


def _distances(first, second):
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.sqrt(np.maximum(squares, 0))
