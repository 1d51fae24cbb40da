"""Metrics of classifiers: a Keras metric, and functions of NumPy arrays."""

import keras
import numpy as np
from keras import ops

_MIN_PROBABILITY = 1e-7


@keras.saving.register_keras_serializable("keras_video")
class MeanClassAccuracy(keras.metrics.Metric):
    """Accuracy of each class, averaged over the classes that have examples.

    ``y_true`` holds class indices (batch,) or (batch, 1), or one-hot rows (batch, classes);
    ``y_pred`` scores (batch, classes), or for two classes the probability of the second
    (batch, 1), which is predicted above 0.5. Sample weights are ignored, except that 0 excludes
    an example, as does a negative class index. Scores that are not finite make the result NaN.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes, name="mean_class_accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if classes < 2:
            raise ValueError(f"MeanClassAccuracy: classes must be at least 2, received {classes}")
        self.classes = int(classes)
        self.correct = self.add_variable((self.classes,), initializer="zeros", name="correct")
        self.total = self.add_variable((self.classes,), initializer="zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if len(y_true.shape) == 2 and y_true.shape[-1] == self.classes:
            y_true = ops.argmax(y_true, axis=-1)
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        if self.classes == 2 and y_pred.shape[-1] == 1:
            predicted = ops.cast(ops.reshape(y_pred, (-1,)) > 0.5, "int32")
        else:
            predicted = ops.cast(ops.argmax(y_pred, -1), "int32")
        hits = ops.cast(ops.equal(labels, predicted), self.dtype)
        finite = ops.all(ops.isfinite(y_pred), axis=-1)
        hits = ops.where(finite, hits, ops.full_like(hits, float("nan")))
        rows = ops.one_hot(labels, self.classes, dtype=self.dtype)
        if sample_weight is not None:
            counted = ops.reshape(ops.convert_to_tensor(sample_weight), (-1, 1)) > 0
            rows = rows * ops.cast(counted, self.dtype)
        self.total.assign_add(ops.sum(rows, axis=0))
        self.correct.assign_add(ops.sum(rows * ops.expand_dims(hits, -1), axis=0))

    def result(self):
        present = ops.cast(self.total > 0, self.dtype)
        accuracy = self.correct / ops.maximum(self.total, 1)
        return ops.sum(accuracy * present) / ops.maximum(ops.sum(present), 1)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype, "classes": self.classes}


def top_k_accuracy(scores, labels, k=1):
    """Fraction of examples whose label is among the ``k`` highest scores.

    Args:
        scores: (examples, classes), or the probability of the second of two classes
            (examples, 1), which is predicted above 0.5.
        labels: class indices (examples,) or (examples, 1).
        k: number of guesses; 1.0 is returned if it exceeds the number of classes.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: for mismatched shapes, scores that are not finite, or labels out of range.
    """
    scores, labels = _single_label(scores, labels)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.mean(np.any(best == labels[:, None], axis=1)))


def mean_class_accuracy(scores, labels):
    """Accuracy of each class, averaged over the classes that have examples.

    Arguments and errors as in ``top_k_accuracy``.

    Returns:
        Float in [0, 1].
    """
    scores, labels = _single_label(scores, labels)
    counts = confusion_matrix(scores.argmax(1), labels, scores.shape[1])
    total = counts.sum(1)
    return float(np.mean(np.diag(counts)[total > 0] / total[total > 0]))


def confusion_matrix(predicted, labels, classes=None, normalize=None):
    """Confusion matrix: counts of true class (row) and predicted class (column).

    Args:
        predicted, labels: class indices (examples,).
        classes: number of classes; None takes the largest index plus one.
        normalize: None for counts, or fractions that sum to 1 over each row ("true"), over each
            column ("predicted") or over the matrix ("all"); empty rows and columns stay 0.

    Returns:
        Array (classes, classes), int64 for counts, else float64.

    Raises:
        ValueError: for an unknown ``normalize``, or indices out of range.
    """
    if normalize not in (None, "true", "predicted", "all"):
        raise ValueError(
            "confusion_matrix: normalize must be None, 'true', 'predicted' or 'all', "
            f"received {normalize!r}"
        )
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    classes = classes or int(max(predicted.max(), labels.max())) + 1
    for name, indices in (("label", labels), ("predicted class", predicted)):
        check_indices(name, indices, classes)
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    if normalize is None:
        return counts
    axis = {"true": 1, "predicted": 0, "all": None}[normalize]
    return counts / np.maximum(counts.sum(axis=axis, keepdims=True), 1)


def mean_average_precision(scores, targets):
    """Average precision of each class over the examples, averaged over the classes.

    Args:
        scores: (examples, classes).
        targets: (examples, classes): 1 present, 0 absent, -1 not annotated. An example is ignored
            for the classes that it has no annotation of; classes without a positive example are
            excluded.

    Returns:
        Float in [0, 1], NaN if no class has an example.

    Raises:
        ValueError: for mismatched shapes, or scores or targets that are not finite.
    """
    scores, targets = _multi_label(scores, targets)
    return _mean_of_rows(scores.T, targets.T)


def mmit_mean_average_precision(scores, targets):
    """Average precision of each example over the classes, averaged over the examples.

    The metric of Multi-Moments in Time (arXiv:1911.00232).

    Args:
        scores: (examples, classes).
        targets: (examples, classes): 1 present, 0 absent, -1 not annotated. A class is ignored
            for the examples without an annotation of it; examples without a label are excluded.

    Returns:
        Float in [0, 1], NaN if no example has a label.

    Raises:
        ValueError: as in ``mean_average_precision``.
    """
    return _mean_of_rows(*_multi_label(scores, targets))


def cross_entropy(scores, labels):
    """Mean cross-entropy of probabilities, without label smoothing or weights.

    Args:
        scores, labels: see ``class_scores``; probabilities. Entries that are not annotated (-1) are
            ignored.

    Returns:
        Float; NaN if nothing is annotated.

    Raises:
        ValueError: as in ``top_k_accuracy``, or ``mean_average_precision`` for multi-hot labels.
    """
    scores, labels = class_scores(scores, labels)
    # Clipped as Keras does.
    scores = np.clip(np.asarray(scores, np.float64), _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    if labels.ndim == 1:
        losses = -np.log(scores[np.arange(len(labels)), labels])
    else:
        known = labels >= 0
        losses = -np.where(labels > 0, np.log(scores), np.log1p(-scores))[known]
    return float(losses.mean()) if losses.size else float("nan")


def class_scores(scores, labels):
    """Scores and labels in the form from which the metrics are computed.

    Args:
        scores: (examples, classes); or (examples, 1), the probability of the second of two
            classes, from a single sigmoid output.
        labels: class indices (examples,) or (examples, 1), or multi-hot (examples, classes). For
            a single output: 1 for the second class, 0 for the first, -1 not annotated.

    Returns:
        ``(scores, labels)``: multi-hot labels (examples, classes) with their scores, or class
        indices (examples,) with scores of at least two classes. With a single output, examples
        that are not annotated are dropped.

    Raises:
        ValueError: for mismatched shapes, scores that are not finite, labels out of range, or a
            single output that is not a probability.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim == 2 and scores.shape[1] == 1 and labels.shape in _column_shapes(scores):
        known = labels.reshape(-1) >= 0
        return _single_label(scores[known], labels.reshape(-1)[known])
    if scores.ndim == 2 and labels.shape == scores.shape:
        return _multi_label(scores, labels)
    return _single_label(scores, labels)


def check_finite(scores):
    """Rejects scores that are not finite, from which no metric can be computed.

    Args:
        scores: (examples, classes).

    Raises:
        ValueError: stating how many scores of how many examples are not finite.
    """
    invalid = ~np.isfinite(np.asarray(scores, np.float64))
    if invalid.any():
        rows = np.flatnonzero(invalid.any(axis=1))
        raise ValueError(
            f"received scores of which {int(invalid.sum())} of {invalid.size} are not finite, in "
            f"{len(rows)} of {len(invalid)} videos (the first is number {int(rows[0])}), expected "
            "numbers: the model has diverged, or its precision is too low"
        )


def check_indices(name, indices, classes):
    """Rejects class indices outside [0, classes).

    Raises:
        ValueError: naming the first such index.
    """
    invalid = np.flatnonzero((indices < 0) | (indices >= classes) | (indices % 1 != 0))
    if invalid.size:
        raise ValueError(
            f"received {name} {indices[invalid[0]]} for example {int(invalid[0])}, expected a "
            f"class index in [0, {classes})"
        )


def _mean_of_rows(scores, targets):
    values = []
    for score, target in zip(scores, targets, strict=True):
        known = target >= 0
        if (target > 0).any():
            values.append(_average_precision(score[known], target[known] > 0))
    return float(np.mean(values)) if values else float("nan")


def _average_precision(score, target):
    """Precision at every distinct score, weighted by the gain in recall."""
    order = np.argsort(-score, kind="stable")
    score, target = score[order], target[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    hits = np.cumsum(target)[ends]
    return np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / hits[-1]


def _column_shapes(scores):
    return scores.shape[:1], (len(scores), 1)


def _single_label(scores, labels):
    """Validated finite scores of at least two classes, and class indices (examples,)."""
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape not in _column_shapes(scores) or not len(labels):
        raise ValueError(
            "Expected scores (examples, classes) and labels (examples,) with at least one "
            f"example, received shapes {scores.shape} and {labels.shape}"
        )
    check_finite(scores)
    if scores.shape[1] == 1:
        scores = _two_columns(scores)
    labels = labels.reshape(-1)
    check_indices("label", labels, scores.shape[1])
    return scores, labels.astype(np.int64)


def _two_columns(scores):
    """Probabilities of both classes from those of the second."""
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            f"received scores of one output between {scores.min()} and {scores.max()}, expected "
            "probabilities of the second of two classes, from 0 to 1"
        )
    return np.concatenate([1 - scores, scores], axis=1)


def _multi_label(scores, targets):
    scores, targets = np.asarray(scores), np.asarray(targets)
    if scores.ndim != 2 or targets.shape != scores.shape:
        raise ValueError(
            "Expected scores and multi-hot targets of one shape (examples, classes), received "
            f"shapes {scores.shape} and {targets.shape}"
        )
    check_finite(scores)
    if not np.isfinite(targets).all():
        raise ValueError("received targets that are not finite, expected 1, 0 or -1")
    return scores, targets
