"""Accuracy of classifiers: a Keras metric, and functions of numpy arrays."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class MeanClassAccuracy(keras.metrics.Metric):
    """Accuracy of each class, averaged over the classes that have examples.

    ``y_true`` holds class indices (batch,) or (batch, 1), or one-hot rows (batch, classes);
    ``y_pred`` scores (batch, classes). Sample weights are ignored except that 0 leaves an
    example out.

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
        hits = ops.cast(ops.equal(labels, ops.cast(ops.argmax(y_pred, -1), "int32")), self.dtype)
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
    """Share of examples whose label is among the ``k`` highest scores.

    Args:
        scores: (examples, classes).
        labels: class indices (examples,).
        k: number of guesses; more than there are classes gives 1.

    Returns:
        Float in [0, 1].
    """
    scores, labels = _single_label(scores, labels)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.mean(np.any(best == labels[:, None], axis=1)))


def mean_class_accuracy(scores, labels):
    """Accuracy of each class, averaged over the classes that have examples.

    Args:
        scores: (examples, classes).
        labels: class indices (examples,).

    Returns:
        Float in [0, 1].
    """
    scores, labels = _single_label(scores, labels)
    counts = confusion_matrix(scores.argmax(1), labels, scores.shape[1])
    total = counts.sum(1)
    return float(np.mean(np.diag(counts)[total > 0] / total[total > 0]))


def confusion_matrix(predicted, labels, classes=None, normalize=None):
    """Counts of every pair of true class (row) and predicted class (column).

    Args:
        predicted, labels: class indices (examples,).
        classes: number of classes; None takes the largest index plus one.
        normalize: None for counts, or shares that sum to 1 over each row ("true"), over each
            column ("predicted") or over the table ("all"); empty rows and columns stay 0.

    Returns:
        Array (classes, classes), int64 for counts, else float64.
    """
    if normalize not in (None, "true", "predicted", "all"):
        raise ValueError(
            "confusion_matrix: normalize must be None, 'true', 'predicted' or 'all', "
            f"received {normalize!r}"
        )
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    classes = classes or int(max(predicted.max(), labels.max())) + 1
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
        targets: multi-hot (examples, classes). Classes without an example are left out.

    Returns:
        Float in [0, 1], not a number if no class has an example.
    """
    scores, targets = _multi_label(scores, targets)
    return _mean_of_rows(scores.T, targets.T)


def mmit_mean_average_precision(scores, targets):
    """Average precision of each example over the classes, averaged over the examples.

    The measure of Multi-Moments in Time (arXiv:1911.00232).

    Args:
        scores: (examples, classes).
        targets: multi-hot (examples, classes). Examples without a label are left out.

    Returns:
        Float in [0, 1], not a number if no example has a label.
    """
    return _mean_of_rows(*_multi_label(scores, targets))


def _mean_of_rows(scores, targets):
    values = [
        _average_precision(score, target)
        for score, target in zip(scores, targets, strict=True)
        if target.any()
    ]
    return float(np.mean(values)) if values else float("nan")


def _average_precision(score, target):
    """Precision at every distinct score, weighted by the recall gained there."""
    order = np.argsort(-score, kind="stable")
    score, target = score[order], target[order].astype(bool)
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    hits = np.cumsum(target)[ends]
    return np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / hits[-1]


def _single_label(scores, labels):
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not len(labels):
        raise ValueError(
            "Expected scores (examples, classes) and labels (examples,) with at least one "
            f"example, received shapes {scores.shape} and {labels.shape}"
        )
    return scores, labels


def _multi_label(scores, targets):
    scores, targets = np.asarray(scores), np.asarray(targets)
    if scores.ndim != 2 or targets.shape != scores.shape:
        raise ValueError(
            "Expected scores and multi-hot targets of one shape (examples, classes), received "
            f"shapes {scores.shape} and {targets.shape}"
        )
    return scores, targets
