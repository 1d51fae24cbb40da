"""How well spans of time were found: numbers of predicted and true records, as `read_spans` gives.

Predictions are `SpanRecord`s whose spans have scores. A record is matched by its `video`.
"""

from dataclasses import dataclass

import numpy as np

from keras_video.data.spans.overlap import inside, temporal_iou, times_of
from keras_video.training.metrics import mean_average_precision

# From 0.3, as THUMOS has it, to 0.95, as ActivityNet has it.
TEMPORAL_IOUS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
F1_OVERLAPS = (0.1, 0.25, 0.5)
# Seconds; the tolerances of SoccerNet (arXiv:1804.04527).
TOLERANCES = tuple(float(5 * step) for step in range(1, 13))


@dataclass(frozen=True, eq=False)
class SpanPrecision:
    """Average precision at several thresholds.

    Attributes:
        thresholds: temporal IoUs, or tolerances in seconds.
        classes: names of the classes that the truth has, in the order of the columns.
        values: float64 `(thresholds, classes)`, each in [0, 1].
        average: mean over thresholds and classes: the average mAP.
    """

    thresholds: tuple[float, ...]
    classes: tuple[str, ...]
    values: np.ndarray
    average: float

    def at(self, threshold: float) -> float:
        """The mean average precision at one of the thresholds.

        Raises:
            ValueError: if it is none of them.
        """
        near = np.isclose(self.thresholds, threshold)
        if not near.any():
            raise ValueError(f"received {threshold}, expected one of {self.thresholds}")
        return float(self.values[near][0].mean())


def span_mean_average_precision(predicted, truth, thresholds=TEMPORAL_IOUS):
    """Mean average precision of detected spans at temporal IoUs, by ActivityNet's definition.

    In the order of their scores, detections of a class take the span of that class in their video
    that they overlap most and that is not taken; those that find none of at least the threshold
    are wrong. Precision is interpolated: at every recall the highest of any recall as high.

    Args:
        predicted: sequence of `SpanRecord`; every span has a score. Spans of classes that the
            truth does not have are left out.
        truth: sequence of `SpanRecord`.
        thresholds: temporal IoUs.

    Returns:
        A `SpanPrecision`; `average` is the mean over thresholds.

    Raises:
        ValueError: spans without scores, videos that are not in the truth or several times, a
            truth without spans, or thresholds out of (0, 1].
    """
    _check_thresholds(thresholds, 1.0)

    def hits(found, true):
        return _overlapping(found, true, thresholds)

    classes, values = _average_precisions(predicted, truth, hits, _interpolated_precision)
    return SpanPrecision(tuple(thresholds), classes, values, float(values.mean()))


def spotting_average_precision(predicted, truth, tolerances=TOLERANCES):
    """Average mAP of points in time within a tolerance, by SoccerNet's definition.

    Each true point, in order of time, takes the detection of its class with the highest score that
    is at most half a tolerance away. Average precision is the mean of eleven recalls; precision
    and recall are taken at every score, where SoccerNet's code takes 200 thresholds.

    Args:
        predicted: sequence of `SpanRecord` whose spans have scores; the middle of a span counts.
        truth: sequence of `SpanRecord`; the middle of a span counts.
        tolerances: seconds, ascending.

    Returns:
        A `SpanPrecision`; `average` is the area under the curve of mAP over the tolerances,
        divided by their range.

    Raises:
        ValueError: as `span_mean_average_precision`.
    """
    _check_thresholds(tolerances, np.inf)

    def hits(found, true):
        return _near(found, true, tolerances)

    classes, values = _average_precisions(predicted, truth, hits, _eleven_point_precision)
    means, steps = values.mean(axis=1), np.asarray(tolerances, np.float64)
    average = means[0]
    if len(steps) > 1:
        area = np.sum(np.diff(steps) * (means[1:] + means[:-1]) / 2)
        average = area / (steps[-1] - steps[0])
    return SpanPrecision(tuple(tolerances), classes, values, float(average))


def segment_f1(predicted, truth, overlaps=F1_OVERLAPS):
    """F1 of segments at temporal IoUs, the F1@k of action segmentation (arXiv:1611.05267).

    In order of time, a segment is right if the segment of its class that it overlaps most is not
    taken and overlaps enough. Scores are not looked at.

    Args:
        predicted, truth: sequences of `SpanRecord`.
        overlaps: temporal IoUs.

    Returns:
        `{overlap: F1}`, each in [0, 1].

    Raises:
        ValueError: as `span_mean_average_precision`, but for scores.
    """
    _check_thresholds(overlaps, 1.0)
    pairs = _by_video(predicted, truth)
    return {overlap: _f1(pairs, overlap) for overlap in overlaps}


def frame_mean_average_precision(windows, truth, class_names, rate=5.0):
    """Mean average precision of single points in time: scores against what the spans say.

    Args:
        windows: `{video: WindowScores}`, for every video of the truth.
        truth: sequence of `SpanRecord`. Points in its `ignored` spans do not count.
        class_names: names of the columns of the scores. Those that the truth does not name, such
            as "background", and those without a span do not count.
        rate: points in time per second.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: a video without windows, names that do not fit the scores, or a class of the
            truth that no column has.
    """
    names = list(class_names)
    known = list(dict.fromkeys(name for one in truth for name in one.classes))
    missing = [name for name in known if name not in names]
    if missing:
        raise ValueError(f"received class_names={names}, expected {missing[0]!r} among them")
    columns = [names.index(name) for name in known]
    scores, targets = [], []
    for one in truth:
        if one.video not in windows:
            raise ValueError(f"received no windows of {one.video}, expected those of every video")
        found = windows[one.video]
        if found.scores.shape[1] != len(names):
            raise ValueError(
                f"{one.video}: received scores of {found.scores.shape[1]} classes and "
                f"{len(names)} class names, expected as many"
            )
        times = (np.arange(max(1, int(found.ends[-1] * rate))) + 0.5) / rate
        middles = (found.starts + found.ends) / 2
        nearest = np.abs(times[:, None] - middles).argmin(axis=1)
        scores.append(found.scores[nearest][:, columns])
        target = np.stack(
            [inside(times, [span for span in one.spans if span.label == name]) for name in known], 1
        ).astype(np.int64)
        target[inside(times, one.ignored)] = -1
        targets.append(target)
    return mean_average_precision(np.concatenate(scores), np.concatenate(targets))


def _check_thresholds(thresholds, most):
    if not len(thresholds) or not all(0 < one <= most for one in thresholds):
        raise ValueError(f"received {thresholds!r}, expected numbers in (0, {most:g}]")


def _by_video(predicted, truth):
    """`[(spans found, true spans)]` of every video of the truth."""
    found, true = _unique(predicted, "predictions"), _unique(truth, "annotations")
    unknown = [video for video in found if video not in true]
    if unknown:
        raise ValueError(
            f"received predictions of {unknown[0]!r}, expected videos of the truth, such as "
            f"{next(iter(true), None)!r}"
        )
    pairs = [(found[video].spans if video in found else (), true[video].spans) for video in true]
    if not any(spans for _, spans in pairs):
        raise ValueError("received a truth without spans, expected some")
    return pairs


def _unique(records, what):
    by_video = {}
    for one in records:
        if one.video in by_video:
            raise ValueError(f"received two {what} of {one.video!r}, expected one record a video")
        by_video[one.video] = one
    return by_video


def _average_precisions(predicted, truth, hits, precision):
    """Classes of the truth, and `(thresholds, classes)` of their average precisions.

    Args:
        hits: function of a video's detections of a class, highest score first, and its true spans,
            that gives bool `(thresholds, detections)`.
        precision: function of the hits of all videos and the number of true spans.
    """
    pairs = _by_video(predicted, truth)
    for spans, _ in pairs:
        without = [span for span in spans if span.score is None]
        if without:
            raise ValueError(f"received {without[0]} without a score, expected one for every span")
    used = {span.label for _, spans in pairs for span in spans}
    classes = tuple(sorted(used))
    columns = []
    for name in classes:
        scores, right, count = [], [], 0
        for spans, true in pairs:
            found = [span for span in spans if span.label == name]
            found.sort(key=lambda span: -span.score)
            true = [span for span in true if span.label == name]
            count += len(true)
            right.append(hits(found, true))
            scores += [span.score for span in found]
        order = np.argsort(-np.array(scores), kind="stable")
        right = np.concatenate(right, axis=1)[:, order]
        columns.append([precision(row, np.array(scores)[order], count) for row in right])
    return classes, np.array(columns).T


def _overlapping(found, true, thresholds):
    right = np.zeros((len(thresholds), len(found)), bool)
    if not found or not true:
        return right
    overlap = temporal_iou(times_of(found), times_of(true))
    for row, threshold in enumerate(thresholds):
        free = np.ones(len(true), bool)
        for column, values in enumerate(overlap):
            values = np.where(free, values, -1.0)
            best = values.argmax()
            if values[best] >= threshold:
                right[row, column], free[best] = True, False
    return right


def _near(found, true, tolerances):
    right = np.zeros((len(tolerances), len(found)), bool)
    if not found or not true:
        return right
    times = times_of(found).mean(axis=1)
    points = np.sort(times_of(true).mean(axis=1))
    for row, tolerance in enumerate(tolerances):
        for point in points:
            # Detections come with the highest score first.
            near = np.flatnonzero((np.abs(times - point) <= tolerance / 2) & ~right[row])
            right[row, near[:1]] = True
    return right


def _interpolated_precision(right, scores, count):
    if not len(right):
        return 0.0
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float((highest * right).sum() / count)


def _eleven_point_precision(right, scores, count):
    if not len(right):
        return 0.0
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits = np.cumsum(right)[ends]
    precision, recall = hits / (ends + 1), hits / count
    levels = np.arange(11) / 10
    return float(np.mean([precision[recall >= level].max(initial=0) for level in levels]))


def _f1(pairs, overlap):
    right = wrong = missed = 0
    for found, true in pairs:
        free = np.ones(len(true), bool)
        labels = np.array([span.label for span in true])
        for span in sorted(found, key=lambda one: (one.start, one.end)):
            values = temporal_iou([(span.start, span.end)], times_of(true))[0]
            values = np.where(labels == span.label, values, 0)
            best = values.argmax() if len(true) else 0
            if len(true) and values[best] >= overlap and free[best]:
                right, free[best] = right + 1, False
            else:
                wrong += 1
        missed += free.sum()
    return float(2 * right / (2 * right + wrong + missed))
