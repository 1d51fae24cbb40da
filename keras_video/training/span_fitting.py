"""Fitting of span thresholds and lengths on annotated videos."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from keras_video.data.spans.records import SpanRecord
from keras_video.inference.sliding_window import WindowScores
from keras_video.inference.span_finding import SpanSettings, spans
from keras_video.progress import progress_bar
from keras_video.training.span_metrics import segment_f1, span_mean_average_precision

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
# In strides of the windows.
_GAPS, _LENGTHS = (0, 2, 4, 8), (0, 2, 4, 8)


def fit_span_settings(
    windows: Mapping[str, WindowScores],
    truth: Sequence[SpanRecord],
    class_names: Sequence[str],
    *,
    per_class: bool = True,
    thresholds: Sequence[float] = THRESHOLDS,
    merge_gaps: Sequence[float] | None = None,
    min_lengths: Sequence[float] | None = None,
    metric: Literal["map", "f1"] = "map",
    background: str | Sequence[str] = (),
    verbose: int = 0,
) -> SpanSettings:
    """The settings of `inference.spans` that are best on a validation list.

    All combinations are tried. With `per_class` each class has its own; otherwise all classes
    share one threshold, gap and length.

    Args:
        windows: `{video: WindowScores}`, for every video of the truth.
        truth: annotations of the videos.
        class_names: names of the columns of the scores.
        per_class: see `inference.spans`.
        thresholds: scores to try.
        merge_gaps, min_lengths: seconds to try; None for 0, 2, 4 and 8 strides of the windows.
        metric: to maximize: "map", the average mAP over temporal IoUs from 0.3 to 0.95; or "f1",
            the mean of F1 at 0.1, 0.25 and 0.5, which counts all false spans equally.
        background: names of columns that are not classes of the truth.
        verbose: 1 shows a progress bar.

    Returns:
        `SpanSettings`; among equally good settings, those with the threshold closest to 0.5 and
        the shortest gap and length.

    Raises:
        ValueError: for a video without windows, classes missing from the truth, or an unknown
            metric.
    """
    if metric not in ("map", "f1"):
        raise ValueError(f"received metric={metric!r}, expected 'map' or 'f1'")
    missing = [record.video for record in truth if record.video not in windows]
    if missing:
        raise ValueError(f"received no windows of {missing[0]}, expected those of every video")
    excluded = [background] if isinstance(background, str) else list(background)
    stride = _stride(windows)
    grid = list(
        itertools.product(
            thresholds,
            [round(stride * gap, 6) for gap in _GAPS] if merge_gaps is None else merge_gaps,
            [round(stride * length, 6) for length in _LENGTHS]
            if min_lengths is None
            else min_lengths,
        )
    )
    grid.sort(key=lambda setting: (abs(setting[0] - 0.5), setting[1], setting[2]))
    columns = [name for name in class_names if name not in excluded]
    task = _Task(windows, truth, list(class_names), excluded, metric)
    bar = progress_bar((len(columns) if per_class else 1) * len(grid), "setting", verbose)
    if not per_class:
        values = [task.joint(setting, bar) for setting in grid]
        return SpanSettings(*grid[int(np.argmax(values))], per_class=False)
    best = {}
    for name in columns:
        values = [task.of_class(name, setting, bar) for setting in grid]
        best[name] = grid[int(np.argmax(values))]
    return SpanSettings(
        *({name: setting[part] for name, setting in best.items()} for part in range(3))
    )


class _Task:
    """Scores span settings with the metric."""

    def __init__(self, windows, truth, names, background, metric):
        self._windows, self._names, self._metric = windows, names, metric
        self._truth, self._background = list(truth), background

    def joint(self, setting, bar):
        """The metric of settings shared by all classes."""

        def find(video):
            return spans(self._windows[video], *setting, False, class_names=self._names,
                         background=self._background)  # fmt: skip

        bar.add(1)
        return self._score(find, self._truth)

    def of_class(self, name, setting, bar):
        """The metric of settings of a single class."""
        bar.add(1)
        truth = [_only(record, name) for record in self._truth]
        if not any(record.spans for record in truth):
            raise ValueError(f"received a truth without spans of {name!r}, expected some")
        column = self._names.index(name)

        def find(video):
            windows = self._windows[video]
            scores = windows.scores[:, column : column + 1]
            class_windows = WindowScores(windows.starts, windows.ends, scores)
            return spans(class_windows, *setting, class_names=[name])

        return self._score(find, truth)

    def _score(self, find, truth):
        predicted = [
            SpanRecord(record.video, tuple(find(record.video)), record.classes) for record in truth
        ]
        if self._metric == "map":
            return span_mean_average_precision(predicted, truth).average
        return float(np.mean(list(segment_f1(predicted, truth).values())))


def _only(record, name):
    class_spans = tuple(span for span in record.spans if span.label == name)
    return SpanRecord(record.video, class_spans, (name,), record.duration)


def _stride(windows):
    """The median time in seconds from a window to the next."""
    steps = np.concatenate([np.diff(scores.starts) for scores in windows.values()])
    return round(float(np.median(steps)), 6) if len(steps) else 0.0
