"""Metrics of predicted spans against annotations, both as records returned by `read_spans`.

Predictions are `SpanRecord`s whose spans have scores. Records are matched by their `video`.
"""

from dataclasses import dataclass

import numpy as np

from keras_video.data.spans.overlap import inside, temporal_iou, times_of
from keras_video.training.metrics import mean_average_precision

# From 0.3, the lowest of THUMOS, to 0.95, the highest of ActivityNet.
TEMPORAL_IOUS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
F1_OVERLAPS = (0.1, 0.25, 0.5)
# Seconds; the tolerances of SoccerNet (arXiv:1804.04527).
TOLERANCES = tuple(float(5 * step) for step in range(1, 13))


@dataclass(frozen=True, eq=False)
class SpanPrecision:
    """Average precision at several thresholds.

    Attributes:
        thresholds: temporal IoUs, or tolerances in seconds.
        classes: names of the classes in the truth, in the order of the columns.
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
            ValueError: for any other threshold.
        """
        near = np.isclose(self.thresholds, threshold)
        if not near.any():
            raise ValueError(f"received {threshold}, expected one of {self.thresholds}")
        return float(self.values[near][0].mean())


def span_mean_average_precision(predicted, truth, thresholds=TEMPORAL_IOUS):
    """Mean average precision of detected spans at temporal IoUs, by ActivityNet's definition.

    In descending order of score, each detection of a class is matched to the unmatched span of
    that class in its video with the highest IoU; if that is below the threshold, the detection is
    a false positive. Precision is interpolated: at every recall, the highest precision at that
    recall or above.

    Args:
        predicted: sequence of `SpanRecord`; every span has a score. Spans of classes missing from
            the truth are ignored.
        truth: sequence of `SpanRecord`.
        thresholds: temporal IoUs.

    Returns:
        A `SpanPrecision`; `average` is the mean over thresholds.

    Raises:
        ValueError: for spans without scores, duplicate videos, videos missing from the truth, a
            truth without spans, or thresholds outside (0, 1].
    """
    _check_thresholds(thresholds, 1.0)

    def hits(detections, true):
        return _overlapping(detections, true, thresholds)

    classes, values = _average_precisions(predicted, truth, hits, _interpolated_precision)
    return SpanPrecision(tuple(thresholds), classes, values, float(values.mean()))


def spotting_average_precision(predicted, truth, tolerances=TOLERANCES):
    """Average mAP of action spotting within a tolerance, by SoccerNet's definition.

    Each true point, in chronological order, is matched to the detection of its class with the
    highest score that is at most half a tolerance away. Average precision is the mean over eleven
    recalls; precision and recall are computed at every score, whereas SoccerNet's code uses 200
    thresholds.

    Args:
        predicted: sequence of `SpanRecord` whose spans have scores; the center of a span is used.
        truth: sequence of `SpanRecord`; the center of a span is used.
        tolerances: seconds, ascending.

    Returns:
        A `SpanPrecision`; `average` is the area under the curve of mAP over the tolerances,
        divided by their range.

    Raises:
        ValueError: as in `span_mean_average_precision`.
    """
    _check_thresholds(tolerances, np.inf)

    def hits(detections, true):
        return _near(detections, true, tolerances)

    classes, values = _average_precisions(predicted, truth, hits, _eleven_point_precision)
    means, steps = values.mean(axis=1), np.asarray(tolerances, np.float64)
    average = means[0]
    if len(steps) > 1:
        area = np.sum(np.diff(steps) * (means[1:] + means[:-1]) / 2)
        average = area / (steps[-1] - steps[0])
    return SpanPrecision(tuple(tolerances), classes, values, float(average))


def segment_f1(predicted, truth, overlaps=F1_OVERLAPS):
    """F1 of segments at temporal IoUs, the F1@k of action segmentation (arXiv:1611.05267).

    In chronological order, a segment is correct if the true segment of its class with the highest
    IoU is unmatched and the IoU reaches the threshold. Scores are ignored.

    Args:
        predicted, truth: sequences of `SpanRecord`.
        overlaps: temporal IoUs.

    Returns:
        `{overlap: F1}`, each in [0, 1].

    Raises:
        ValueError: as in `span_mean_average_precision`, except for scores.
    """
    _check_thresholds(overlaps, 1.0)
    pairs = _by_video(predicted, truth)
    return {overlap: _f1(pairs, overlap) for overlap in overlaps}


def frame_mean_average_precision(windows, truth, class_names, rate=5.0):
    """Mean average precision of individual points in time, labeled by the true spans.

    Args:
        windows: `{video: WindowScores}`, for every video of the truth.
        truth: sequence of `SpanRecord`. Points in its `ignored` spans are excluded.
        class_names: names of the columns of the scores. Those missing from the truth, such as
            "background", and those without a span are excluded.
        rate: points in time per second.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: for a video without windows, a number of names that differs from the scores'
            columns, or a class of the truth without a column.
    """
    names = list(class_names)
    known = list(dict.fromkeys(name for record in truth for name in record.classes))
    missing = [name for name in known if name not in names]
    if missing:
        raise ValueError(f"received class_names={names}, expected {missing[0]!r} among them")
    columns = [names.index(name) for name in known]
    scores, targets = [], []
    for record in truth:
        if record.video not in windows:
            raise ValueError(
                f"received no windows of {record.video}, expected those of every video"
            )
        video = windows[record.video]
        if video.scores.shape[1] != len(names):
            raise ValueError(
                f"{record.video}: received scores of {video.scores.shape[1]} classes and "
                f"{len(names)} class names, expected the same number"
            )
        times = (np.arange(max(1, int(video.ends[-1] * rate))) + 0.5) / rate
        centers = (video.starts + video.ends) / 2
        nearest = np.abs(times[:, None] - centers).argmin(axis=1)
        scores.append(video.scores[nearest][:, columns])
        target = np.stack(
            [
                inside(times, [span for span in record.spans if span.label == name])
                for name in known
            ],
            1,
        ).astype(np.int64)
        target[inside(times, record.ignored)] = -1
        targets.append(target)
    return mean_average_precision(np.concatenate(scores), np.concatenate(targets))


def _check_thresholds(thresholds, maximum):
    if not len(thresholds) or not all(0 < value <= maximum for value in thresholds):
        raise ValueError(f"received {thresholds!r}, expected numbers in (0, {maximum:g}]")


def _by_video(predicted, truth):
    """`[(detected spans, true spans)]` of every video of the truth."""
    detected, true = _unique(predicted, "predictions"), _unique(truth, "annotations")
    unknown = [video for video in detected if video not in true]
    if unknown:
        raise ValueError(
            f"received predictions of {unknown[0]!r}, expected videos of the truth, such as "
            f"{next(iter(true), None)!r}"
        )
    pairs = [
        (detected[video].spans if video in detected else (), true[video].spans) for video in true
    ]
    if not any(spans for _, spans in pairs):
        raise ValueError("received a truth without spans, expected some")
    return pairs


def _unique(records, what):
    by_video = {}
    for record in records:
        if record.video in by_video:
            raise ValueError(
                f"received two {what} of {record.video!r}, expected one record per video"
            )
        by_video[record.video] = record
    return by_video


def _average_precisions(predicted, truth, hits, precision):
    """Classes of the truth, and their average precisions `(thresholds, classes)`.

    Args:
        hits: function of a video's detections of a class, highest score first, and its true spans,
            that returns bool `(thresholds, detections)`.
        precision: function of the hits of all videos and the number of true spans.
    """
    pairs = _by_video(predicted, truth)
    for spans, _ in pairs:
        without = [span for span in spans if span.score is None]
        if without:
            raise ValueError(f"received {without[0]} without a score, expected one for every span")
    labels = {span.label for _, spans in pairs for span in spans}
    classes = tuple(sorted(labels))
    columns = []
    for name in classes:
        scores, correct, count = [], [], 0
        for spans, true in pairs:
            detections = [span for span in spans if span.label == name]
            detections.sort(key=lambda span: -span.score)
            true = [span for span in true if span.label == name]
            count += len(true)
            correct.append(hits(detections, true))
            scores += [span.score for span in detections]
        order = np.argsort(-np.array(scores), kind="stable")
        correct = np.concatenate(correct, axis=1)[:, order]
        columns.append([precision(row, np.array(scores)[order], count) for row in correct])
    return classes, np.array(columns).T


def _overlapping(detections, true, thresholds):
    correct = np.zeros((len(thresholds), len(detections)), bool)
    if not detections or not true:
        return correct
    overlap = temporal_iou(times_of(detections), times_of(true))
    for row, threshold in enumerate(thresholds):
        free = np.ones(len(true), bool)
        for column, values in enumerate(overlap):
            values = np.where(free, values, -1.0)
            best = values.argmax()
            if values[best] >= threshold:
                correct[row, column], free[best] = True, False
    return correct


def _near(detections, true, tolerances):
    correct = np.zeros((len(tolerances), len(detections)), bool)
    if not detections or not true:
        return correct
    times = times_of(detections).mean(axis=1)
    points = np.sort(times_of(true).mean(axis=1))
    for row, tolerance in enumerate(tolerances):
        for point in points:
            # Detections are sorted by descending score.
            near = np.flatnonzero((np.abs(times - point) <= tolerance / 2) & ~correct[row])
            correct[row, near[:1]] = True
    return correct


def _interpolated_precision(correct, scores, count):
    if not len(correct):
        return 0.0
    hits = np.cumsum(correct)
    precision = hits / np.arange(1, len(correct) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float((highest * correct).sum() / count)


def _eleven_point_precision(correct, scores, count):
    if not len(correct):
        return 0.0
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits = np.cumsum(correct)[ends]
    precision, recall = hits / (ends + 1), hits / count
    levels = np.arange(11) / 10
    return float(np.mean([precision[recall >= level].max(initial=0) for level in levels]))


def _f1(pairs, overlap):
    correct = false = missed = 0
    for detections, true in pairs:
        free = np.ones(len(true), bool)
        labels = np.array([span.label for span in true])
        for span in sorted(detections, key=lambda span: (span.start, span.end)):
            values = temporal_iou([(span.start, span.end)], times_of(true))[0]
            values = np.where(labels == span.label, values, 0)
            best = values.argmax() if len(true) else 0
            if len(true) and values[best] >= overlap and free[best]:
                correct, free[best] = correct + 1, False
            else:
                false += 1
        missed += free.sum()
    return float(2 * correct / (2 * correct + false + missed))
