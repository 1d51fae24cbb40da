"""The results of a training: metrics, tables and plots."""

import csv
import io
import json
from pathlib import Path

import numpy as np
from absl import logging

from keras_video import atomic
from keras_video.inference.two_classes import names_of
from keras_video.training import metrics, plots
from keras_video.training.evaluation import score_report

METRICS = "metrics.json"


def write_results(
    work_dir, scores, labels, class_names=None, history=None, *, listed=None, stopped_early=None
):
    """Writes the results of a run.

    Files: ``metrics.json`` (metrics of ``score_report``, number of videos, last and best value
    of every column of the history), ``classes.csv`` (per class), ``confusion.csv`` (rows: true
    class; single-label only) and, if matplotlib is installed, ``confusion.png`` and
    ``curve.png``.

    Args:
        work_dir: the folder; created if missing.
        scores: (videos, classes); or (videos, 1), the probability of the second of two classes.
        labels: see ``score_report``.
        class_names: a name per class; None numbers them. For a single output a name for each of
            the two classes, or for the second one.
        history: columns by name, such as ``History.history`` or the result of ``read_log``, or
            None.
        listed: number of videos that should have been evaluated; None if unknown. Those without
            scores count as failed.
        stopped_early: whether training ended before its last epoch; None omits it.

    Returns:
        The content of ``metrics.json`` as a dictionary: the metrics, "videos" (the number
        evaluated), and if ``listed`` is given "videos_listed" and "videos_failed".

    Raises:
        ValueError: if the number of names is not that of the classes, or as in ``score_report``;
            nothing is written then.
    """
    work_dir, scores = Path(work_dir), np.asarray(scores)
    values, evaluated = score_report(scores, labels), len(scores)
    names = names_of(scores.shape[1], class_names)
    scores, labels = metrics.class_scores(scores, labels)
    videos = {"videos": evaluated}
    if listed is not None:
        videos |= {"videos_listed": listed, "videos_failed": listed - evaluated}
    report = {**values, **videos, "classes": len(names), **_history_report(history or {})}
    if stopped_early is not None:
        report["stopped_early"] = stopped_early
    work_dir.mkdir(parents=True, exist_ok=True)
    counts = None
    if labels.ndim == 1:
        counts = metrics.confusion_matrix(scores.argmax(1), labels, len(names))
        _write_table(work_dir / "classes.csv", _class_rows(counts, names))
        _write_table(work_dir / "confusion.csv", _confusion_rows(counts, names))
    else:
        _write_table(work_dir / "classes.csv", _multi_label_rows(scores, labels, names))
    atomic.write_text(work_dir / METRICS, json.dumps(report, indent=2) + "\n")
    _draw(work_dir, counts, names, history or {})
    return report


def _history_report(history):
    """Last value of every column, and the best value of those that can improve."""
    report = {}
    for name, column in history.items():
        values = [float(value) for value in column if value == value]
        if name == "epoch" or not values:
            continue
        report[f"last_{name}"] = values[-1]
        if name != "learning_rate":
            report[f"best_{name}"] = min(values) if "loss" in name else max(values)
    return {"epochs": max(map(len, history.values()), default=0), **report}


def _class_rows(counts, names):
    yield ["class", "name", "videos", "correct", "accuracy", "predicted", "most confused with"]
    for index, name in enumerate(names):
        videos, correct = int(counts[index].sum()), int(counts[index, index])
        others = counts[index].copy()
        others[index] = 0
        confused = names[int(others.argmax())] if others.any() else ""
        accuracy = f"{correct / videos:.4f}" if videos else ""
        yield [index, name, videos, correct, accuracy, int(counts[:, index].sum()), confused]


def _multi_label_rows(scores, targets, names):
    yield ["class", "name", "videos", "average precision"]
    for index, name in enumerate(names):
        column = slice(index, index + 1)
        videos = int((targets[:, index] > 0).sum())
        precision = metrics.mean_average_precision(scores[:, column], targets[:, column])
        yield [index, name, videos, f"{precision:.4f}" if videos else ""]


def _confusion_rows(counts, names):
    yield ["true \\ predicted", *names]
    for name, row in zip(names, counts.tolist(), strict=True):
        yield [name, *row]


def _write_table(path, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    # Folder names are not necessarily UTF-8.
    atomic.write_text(path, text.getvalue(), errors="backslashreplace")


def _draw(work_dir, counts, names, history):
    # Imported here, since importing the package must not import the data code.
    from keras_video.data.annotations.records import printable

    try:
        if counts is not None:
            printable_names = [printable(name) for name in names]
            with atomic.atomic_path(work_dir / "confusion.png") as path:
                plots.draw_confusion(path, counts, printable_names)
        if any(name.startswith("loss") or "val_" in name for name in history):
            with atomic.atomic_path(work_dir / "curve.png") as path:
                plots.draw_curves(path, history)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        logging.warning("No plots written: pip install keras-video[plots]")
