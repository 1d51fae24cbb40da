"""Spans of time from the scores of windows: where a class scores high enough for long enough."""

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
    """How spans are made of scores: the arguments of `spans`, as `fit_span_settings` finds them.

    Attributes:
        threshold, merge_gap, min_length: a number, or `{class: number}`.
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
        """The settings of a file that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: naming the file, if it is another.
        """
        try:
            facts = json.loads(read_text(path))
            if not isinstance(facts, dict):
                raise TypeError
            settings = cls(**facts)
        except (TypeError, json.JSONDecodeError):
            names = ", ".join(field.name for field in dataclasses.fields(cls))
            raise ValueError(f"{path}: expected a JSON object with any of {names}") from None
        for name in ("threshold", "merge_gap", "min_length"):
            value = getattr(settings, name)
            for one in value.values() if isinstance(value, dict) else [value]:
                _checked_number(f"{path}: {name}", one)
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
    """The spans of time in which classes score high.

    Between the middles of neighboring windows scores are interpolated: a span begins and ends
    where they cross the threshold, or with the video.

    Args:
        window_scores: what `predict_windows` gives.
        threshold: the least score: a number, one for each class, or `{class: number}`.
        merge_gap: seconds; spans of a class with a gap up to this long between them become one.
        min_length: seconds; shorter spans are left out, after merging.
        per_class: whether every class is looked at by itself, so that spans of several overlap.
            False takes the class that scores highest at a time, if it reaches its threshold.
        class_names: names of the classes; None numbers them.
        background: name of a class, or names, that spans are not made of.

    Returns:
        A list of `Span`, ordered by start; its score is the mean over its windows.

    Raises:
        ValueError: numbers or names that do not fit, or scores that are not finite.
    """
    scores = np.asarray(window_scores.scores, np.float64)
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise ValueError(
            f"received scores of shape {scores.shape}, expected finite numbers (windows, classes)"
        )
    names = _names(class_names, scores.shape[1])
    left_out = {background} if isinstance(background, str) else set(background)
    if left_out - set(names):
        raise ValueError(f"received background={background!r}, expected some of {names}")
    limits, gaps, lengths = (
        _of_classes(name, value, names)
        for name, value in (
            ("threshold", threshold),
            ("merge_gap", merge_gap),
            ("min_length", min_length),
        )
    )
    margins = scores - limits
    if not per_class:
        margins = np.minimum(margins, scores - _highest_others(scores))
    found = []
    for column, name in enumerate(names):
        if name not in left_out:
            runs = _runs(window_scores, margins[:, column], scores[:, column])
            runs = _merged(runs, gaps[column])
            found += [
                Span(name, start, end, total / weight)
                for start, end, total, weight in runs
                if end - start >= lengths[column] and end > start
            ]
    return sorted(found, key=lambda span: (span.start, span.end, span.label))


def _names(class_names, count):
    names = [str(one) for one in (range(count) if class_names is None else class_names)]
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"received class_names={names}, expected {count} different names")
    return names


def _of_classes(name, value, names):
    """A setting for every class, float64 `(classes,)`."""
    if isinstance(value, Mapping):
        wrong = sorted(set(value) - set(names))
        missing = [one for one in names if one not in value]
        if wrong:
            raise ValueError(f"received {name} for {wrong[0]!r}, expected some of {names}")
        # Classes that are left out, such as background, need none.
        value = [value.get(one, np.inf if name == "threshold" else 0.0) for one in names]
        if len(missing) == len(names):
            raise ValueError(f"received {name}={{}}, expected numbers for {names}")
    elif isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != len(names):
            raise ValueError(
                f"received {len(value)} numbers as {name}, expected {len(names)}, one a class"
            )
    else:
        value = [value] * len(names)
    return np.array([_checked_number(name, one) for one in value], np.float64)


def _checked_number(name, value):
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
    middles = (windows.starts + windows.ends) / 2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], margin >= 0, [False]]).astype(int)))
    found = []
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        start = windows.starts[0] if first == 0 else _crossing(middles, margin, first, first - 1)
        at_end = last == len(margin) - 1
        end = windows.ends[-1] if at_end else _crossing(middles, margin, last, last + 1)
        total = scores[first : last + 1].sum()
        found.append([float(start), float(end), float(total), int(last - first + 1)])
    return found


def _crossing(middles, margin, above, below):
    """The time between two windows at which the margin is 0."""
    if not np.isfinite(margin[below]):
        return middles[above]
    share = margin[above] / (margin[above] - margin[below])
    return middles[above] + share * (middles[below] - middles[above])


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
