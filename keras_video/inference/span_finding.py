"""Spans from window scores: where a class scores high enough for long enough."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

import numpy as np

from keras_video import atomic
from keras_video.data.annotations.records import read_text
from keras_video.data.spans.records import Span
from keras_video.inference.sliding_window import WindowScores

PerClass = float | Sequence[float] | Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class SpanSettings:
    """How spans are derived from scores: arguments of `spans`, as fitted by `fit_span_settings`.

    Attributes:
        threshold, merge_gap, min_length: a number, a number per class, or `{class: number}`.
        per_class: see `spans`.
    """

    threshold: PerClass = 0.5
    merge_gap: PerClass = 0.0
    min_length: PerClass = 0.0
    per_class: bool = True

    def save(self, path):
        """Writes a JSON file."""
        atomic.write_text(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path):
        """Reads the settings from a file written by `save`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: naming the file, if it is not a settings file.
        """
        try:
            values = json.loads(read_text(path))
            if not isinstance(values, dict):
                raise TypeError
            settings = cls(**values)
        except (TypeError, json.JSONDecodeError):
            names = ", ".join(field.name for field in dataclasses.fields(cls))
            raise ValueError(f"{path}: expected a JSON object with any of {names}") from None
        for name in ("threshold", "merge_gap", "min_length"):
            value = getattr(settings, name)
            numbers = list(value.values()) if isinstance(value, dict) else value
            for number in numbers if isinstance(numbers, list) else [numbers]:
                _require_number(f"{path}: {name}", number)
        if not isinstance(settings.per_class, bool):
            raise ValueError(f"{path}: received per_class={settings.per_class!r}, expected a bool")
        return settings


def spans(
    window_scores: WindowScores,
    threshold: PerClass = 0.5,
    merge_gap: PerClass = 0.0,
    min_length: PerClass = 0.0,
    per_class: bool = True,
    *,
    class_names: Sequence[str] | None = None,
    background: str | Sequence[str] = (),
) -> list[Span]:
    """The time spans in which classes score high.

    Scores are interpolated between the centers of neighboring windows: a span begins and ends
    where they cross the threshold, or with the video.

    Args:
        window_scores: the output of `predict_windows`.
        threshold: the minimum score: a number, a number per class, or `{class: number}`.
        merge_gap: seconds; spans of a class that are at most this far apart are merged.
        min_length: seconds; shorter spans are dropped, after merging.
        per_class: whether classes are treated independently, so that their spans may overlap.
            False takes the highest-scoring class at any time, if it reaches its threshold.
        class_names: names of the classes; None numbers them.
        background: name or names of classes that yield no spans.

    Returns:
        A list of `Span`, ordered by start; its score is the mean over its windows.

    Raises:
        ValueError: for invalid numbers or names, or scores that are not finite.
    """
    scores = np.asarray(window_scores.scores, np.float64)
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise ValueError(
            f"received scores of shape {scores.shape}, expected finite numbers (windows, classes)"
        )
    names = _names(class_names, scores.shape[1])
    excluded = {background} if isinstance(background, str) else set(background)
    if excluded - set(names):
        raise ValueError(f"received background={background!r}, expected some of {names}")
    limits, gaps, lengths = (
        _per_class_values(name, value, names)
        for name, value in (
            ("threshold", threshold),
            ("merge_gap", merge_gap),
            ("min_length", min_length),
        )
    )
    margins = scores - limits
    if not per_class:
        margins = np.minimum(margins, scores - _highest_others(scores))
    result = []
    for column, name in enumerate(names):
        if name not in excluded:
            runs = _runs(window_scores, margins[:, column], scores[:, column])
            runs = _merged(runs, gaps[column])
            result += [
                Span(name, start, end, total / weight)
                for start, end, total, weight in runs
                if end - start >= lengths[column] and end > start
            ]
    return sorted(result, key=lambda span: (span.start, span.end, span.label))


def _names(class_names, count):
    names = [str(name) for name in (range(count) if class_names is None else class_names)]
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"received class_names={names}, expected {count} different names")
    return names


def _per_class_values(name, value, names):
    """A setting for each class, float64 `(classes,)`."""
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - set(names))
        missing = [class_name for class_name in names if class_name not in value]
        if unknown:
            raise ValueError(f"received {name} for {unknown[0]!r}, expected some of {names}")
        # Omitted classes, such as background, get values that yield no spans or no effect.
        default = np.inf if name == "threshold" else 0.0
        value = [value.get(class_name, default) for class_name in names]
        if len(missing) == len(names):
            raise ValueError(f"received {name}={{}}, expected numbers for {names}")
    elif isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != len(names):
            raise ValueError(
                f"received {len(value)} numbers as {name}, expected {len(names)}, one per class"
            )
    else:
        value = [value] * len(names)
    return np.array([_require_number(name, number) for number in value], np.float64)


def _require_number(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or value != value:
        raise ValueError(f"received {name}={value!r}, expected a number")
    if name != "threshold" and value < 0 and "threshold" not in name:
        raise ValueError(f"received {name}={value!r}, expected seconds of 0 or more")
    return value


def _highest_others(scores):
    """The highest score of any other class, `(windows, classes)`."""
    if scores.shape[1] == 1:
        return np.full_like(scores, -np.inf)
    order = np.sort(scores, axis=1)
    is_highest = scores == order[:, -1:]
    return np.where(is_highest, order[:, -2:-1], order[:, -1:])


def _runs(windows, margin, scores):
    """`[start, end, sum of scores, windows]` of the runs in which the margin is not negative."""
    centers = (windows.starts + windows.ends) / 2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], margin >= 0, [False]]).astype(int)))
    runs = []
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        start = windows.starts[0] if first == 0 else _crossing(centers, margin, first, first - 1)
        at_end = last == len(margin) - 1
        end = windows.ends[-1] if at_end else _crossing(centers, margin, last, last + 1)
        total = scores[first : last + 1].sum()
        runs.append([float(start), float(end), float(total), int(last - first + 1)])
    return runs


def _crossing(centers, margin, above, below):
    """The time between two windows at which the margin is 0."""
    if not np.isfinite(margin[below]):
        return centers[above]
    fraction = margin[above] / (margin[above] - margin[below])
    return centers[above] + fraction * (centers[below] - centers[above])


def _merged(runs, gap):
    merged = []
    for run in runs:
        if merged and gap > 0 and run[0] - merged[-1][1] <= gap:
            merged[-1][1] = run[1]
            merged[-1][2] += run[2]
            merged[-1][3] += run[3]
        else:
            merged.append(run)
    return merged
