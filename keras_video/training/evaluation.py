"""Multi-view evaluation at the end of an epoch."""

import math
import time

import keras
import numpy as np

from keras_video.inference.views import predict_views
from keras_video.progress import progress_bar
from keras_video.training import metrics
from keras_video.training.divergence import DivergedError, check_scores
from keras_video.training.resume import diverged


def score_report(scores, labels):
    """The standard metrics of a set of scores.

    Args:
        scores: (examples, classes); or (examples, 1), the probability of the second of two
            classes, from a single sigmoid output.
        labels: class indices (examples,) or (examples, 1), or multi-hot (examples, classes): 1
            present, 0 absent, -1 not annotated. For a single output: 0 and 1, -1 not annotated.

    Returns:
        Dictionary of floats in [0, 1]: "top1", "top5" (with five or more classes) and
        "mean_class_accuracy"; for multi-hot labels "mean_average_precision" and
        "mmit_mean_average_precision"; for a single output "top1" (the accuracy at a threshold of
        0.5), "mean_class_accuracy" and "mean_average_precision".

    Raises:
        ValueError: for mismatched shapes, scores that are not finite, or labels out of range.
    """
    one_output = np.ndim(scores) == 2 and np.shape(scores)[1] == 1
    scores, labels = metrics.class_scores(scores, labels)
    if labels.ndim == 2:
        return {
            "mean_average_precision": metrics.mean_average_precision(scores, labels),
            "mmit_mean_average_precision": metrics.mmit_mean_average_precision(scores, labels),
        }
    report = {"top1": metrics.top_k_accuracy(scores, labels, 1)}
    if scores.shape[1] >= 5:
        report["top5"] = metrics.top_k_accuracy(scores, labels, 5)
    report["mean_class_accuracy"] = metrics.mean_class_accuracy(scores, labels)
    if one_output:
        precision = metrics.mean_average_precision(scores[:, 1:], labels[:, None])
        report["mean_average_precision"] = precision
    return report


def evaluate_views(
    model, dataset, *, score_average="prob", max_views=None, optimize="off", verbose=1
):
    """Scores a model on videos of several views each.

    Under a distribution strategy every batch is split across the replicas.

    Args:
        model: classifier that ends in an ``Activation`` named "predictions".
        dataset: yields ``(clips, labels)``: clips (batch, views, frames, height, width,
            channels), or without the views axis if there is one view, labels (batch,) or
            multi-hot (batch, classes). Read once from the start.
        score_average, max_views, optimize: see ``keras_video.inference.predict_views``.
        verbose: 1 shows a progress bar.

    Returns:
        ``(scores, labels)``: probabilities (videos, classes) and labels, as arrays.

    Raises:
        DivergedError: naming the first video whose scores are not finite.
        ValueError: if the dataset is empty, or yields anything but clips and labels, such as
            additional sample weights, which no metric here uses.
    """
    bar = progress_bar(_length(dataset), "batch", verbose)
    scores, labels, evaluated = [], [], 0
    for number, batch in enumerate(dataset, 1):
        clips, targets = _clips_and_labels(batch)
        # Views of the remaining batches, if they are like this one.
        views = math.prod(keras.tree.flatten(clips)[0].shape[:2])
        to_come = max(0, (bar.target or 0) - number) * views
        scores.append(
            predict_views(
                model,
                clips,
                score_average=score_average,
                max_views=max_views,
                optimize=optimize,
                to_come=to_come,
            )
        )
        check_scores(scores[-1], evaluated)
        evaluated += len(scores[-1])
        labels.append(keras.ops.convert_to_numpy(targets))
        bar.update(number)
    if not scores:
        raise ValueError("evaluate_views: the dataset is empty")
    if bar.target != len(scores):
        # The length was unknown, or videos were skipped.
        bar.target = len(scores)
        bar.update(len(scores), finalize=True)
    return np.concatenate(scores), np.concatenate(labels)


def _clips_and_labels(batch):
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        count = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise ValueError(
            f"evaluate_views: the dataset yields {count}, expected (clips, labels); sample weights "
            "are not used: dataset.map(lambda clips, labels, weights: (clips, labels))"
        )
    return batch


def _length(dataset):
    try:
        return len(dataset)
    except TypeError:
        return None


class MultiViewEvaluation(keras.callbacks.Callback):
    """Evaluates on several views of every video and adds the metrics to the logs.

    Callbacks that read them (``EarlyStopping``, ``ReduceLROnPlateau``, ``ModelCheckpoint``) may
    come before or after it in the callbacks passed to ``fit`` of a model of
    ``keras_video.applications``; with other models it has to come first. The metrics are those
    of ``score_report``, and the cross-entropy of the averaged scores as "loss", prefixed with
    ``prefix`` ("val_top1", "val_loss", ...). After an evaluation ``scores`` (videos, classes) and
    ``labels`` hold its scores and labels.

    Args:
        dataset: see ``evaluate_views``; read from the start at every evaluation.
        score_average, max_views: see ``keras_video.inference.predict_views``.
        every: epochs between evaluations; the last epoch is always evaluated.
        prefix: of the names of the metrics.
        verbose: 1 shows a progress bar and the metrics.
    """

    # `VideoModel.fit` runs callbacks that read the logs after those that add to them.
    adds_to_logs = True

    def __init__(
        self, dataset, score_average="prob", max_views=None, every=1, prefix="val_", *, verbose=1
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"MultiViewEvaluation: every must be at least 1, received {every}")
        self.dataset = dataset
        self.score_average = score_average
        self.max_views = max_views
        self.every = every
        self.prefix = prefix
        self.verbose = verbose
        self.scores = None
        self.labels = None

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == (self.params or {}).get("epochs")
        if diverged(logs) or ((epoch + 1) % self.every and not last):
            return
        try:
            values = self.evaluate()
        except DivergedError as error:
            raise DivergedError(f"Evaluation after epoch {epoch + 1}: {error}") from error
        if logs is not None:
            logs.update(values)

    def evaluate(self, model=None):
        """Evaluates immediately, for instance after a run that had no epochs left.

        Args:
            model: the model to evaluate; None for the model in training.

        Returns:
            Dictionary of the metrics, named with the prefix.
        """
        started = time.monotonic()
        self.scores, self.labels = evaluate_views(
            model or self.model,
            self.dataset,
            score_average=self.score_average,
            max_views=self.max_views,
            verbose=self.verbose,
        )
        report = {
            "loss": metrics.cross_entropy(self.scores, self.labels),
            **score_report(self.scores, self.labels),
        }
        values = {self.prefix + name: value for name, value in report.items()}
        if self.verbose:
            text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
            seconds = time.monotonic() - started
            print(f"{len(self.scores)} videos in {seconds:.0f} s: {text}", flush=True)
        return values
