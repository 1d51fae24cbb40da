"""Metrics of detected spans, against plain implementations of their definitions."""

import numpy as np
import pytest

from keras_video.data import Span, SpanRecord
from keras_video.data.spans.overlap import temporal_iou
from keras_video.inference import WindowScores
from keras_video.training import (
    frame_mean_average_precision,
    segment_f1,
    span_mean_average_precision,
    spotting_average_precision,
)
from keras_video.training.span_metrics import TEMPORAL_IOUS

CLASSES = ("a", "b", "c")


def random_case(seed, videos=4, points=False):
    """True and predicted records; predictions are shifted true spans, plus false ones."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for number in range(videos):
        true, detections = [], []
        for _ in range(rng.integers(0, 7)):
            start, length = rng.uniform(0, 50), 0 if points else rng.uniform(0.5, 10)
            true.append(Span(str(rng.choice(CLASSES)), start, start + length))
            for _ in range(rng.integers(0, 3)):
                near = np.sort(start + np.array([0, length]) + rng.normal(0, 1.5, 2))
                near = np.maximum(near, 0) if not points else np.repeat(np.maximum(near[0], 0), 2)
                label = true[-1].label if rng.uniform() < 0.8 else "c"
                detections.append(Span(label, *near, float(rng.uniform())))
        for _ in range(rng.integers(0, 4)):
            start = rng.uniform(0, 50)
            end = start if points else start + rng.uniform(0, 5)
            detections.append(Span(str(rng.choice(CLASSES)), start, end, float(rng.uniform())))
        truth.append(SpanRecord(f"{number}.mp4", tuple(true), CLASSES))
        predicted.append(SpanRecord(f"{number}.mp4", tuple(detections), CLASSES))
    truth[0] = SpanRecord("0.mp4", (*truth[0].spans, Span("a", 1, 4)), CLASSES)
    return predicted, truth


def iou(first, second):
    shared = max(0.0, min(first.end, second.end) - max(first.start, second.start))
    union = first.length + second.length - shared
    return shared / union if union > 0 else 0.0


def reference_precision(predicted, truth, label, threshold):
    """Matches detections one by one; the area under the interpolated precision-recall curve."""
    detections = [
        (record.video, span) for record in predicted for span in record.spans if span.label == label
    ]
    detections.sort(key=lambda pair: pair[1].score, reverse=True)
    true = {
        record.video: [span for span in record.spans if span.label == label] for record in truth
    }
    count, matched, right = sum(map(len, true.values())), set(), []
    for video, span in detections:
        order = sorted(range(len(true[video])), key=lambda n: -iou(span, true[video][n]))
        hit = False
        for number in order:
            if iou(span, true[video][number]) < threshold:
                break
            if (video, number) not in matched:
                matched.add((video, number))
                hit = True
                break
        right.append(hit)
    curve = [(0.0, 0.0)]
    for n in range(1, len(right) + 1):
        curve.append((sum(right[:n]) / count, sum(right[:n]) / n))
    curve.append((1.0, 0.0))
    area = 0.0
    for n in range(1, len(curve)):
        area += (curve[n][0] - curve[n - 1][0]) * max(precision for _, precision in curve[n:])
    return area


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_is_that_of_the_definition(seed):
    predicted, truth = random_case(seed)
    precision = span_mean_average_precision(predicted, truth)
    assert precision.thresholds == TEMPORAL_IOUS and TEMPORAL_IOUS[0] == 0.3
    assert TEMPORAL_IOUS[-1] == 0.95
    expected = [
        [reference_precision(predicted, truth, name, threshold) for name in precision.classes]
        for threshold in TEMPORAL_IOUS
    ]
    np.testing.assert_allclose(precision.values, expected, atol=1e-12)
    assert precision.average == pytest.approx(np.mean(expected))
    assert precision.at(0.5) == pytest.approx(np.mean(expected[4]))
    assert set(precision.classes) == {span.label for record in truth for span in record.spans}


def test_perfect_detections_have_precision_one():
    _, truth = random_case(3)
    predicted = [
        SpanRecord(record.video, tuple(Span(*_times(span), 0.5) for span in record.spans), CLASSES)
        for record in truth
    ]
    assert span_mean_average_precision(predicted, truth).average == 1
    assert segment_f1(predicted, truth) == {0.1: 1, 0.25: 1, 0.5: 1}
    assert span_mean_average_precision([], truth).average == 0


def _times(span):
    return span.label, span.start, span.end


def test_a_span_detected_twice_counts_once():
    truth = [SpanRecord("x", (Span("a", 0, 10), Span("a", 20, 30)), CLASSES)]
    twice = (Span("a", 0, 10, 0.9), Span("a", 0, 9.9, 0.8), Span("a", 20, 30, 0.7))
    precision = span_mean_average_precision([SpanRecord("x", twice, CLASSES)], truth, [0.5])
    assert precision.average == pytest.approx((1 + 2 / 3) / 2)


def test_invalid_input_is_reported():
    _, truth = random_case(0)
    without = [SpanRecord("0.mp4", (Span("a", 0, 1),), CLASSES)]
    with pytest.raises(ValueError, match="without a score, expected one for every span"):
        span_mean_average_precision(without, truth)
    with pytest.raises(ValueError, match="received predictions of 'y.mp4', expected videos"):
        span_mean_average_precision([SpanRecord("y.mp4", (), CLASSES)], truth)
    with pytest.raises(ValueError, match="received two predictions of '0.mp4'"):
        segment_f1([*without, *without], truth)
    with pytest.raises(ValueError, match="received a truth without spans"):
        segment_f1([], [SpanRecord("a", (), CLASSES)])
    with pytest.raises(ValueError, match=r"received \(0, 0.5\), expected numbers in \(0, 1\]"):
        span_mean_average_precision([], truth, (0, 0.5))
    with pytest.raises(ValueError, match="received 0.4, expected one of"):
        span_mean_average_precision([], truth, [0.5]).at(0.4)


@pytest.mark.parametrize("seed", range(6))
def test_segment_f1_is_that_of_the_definition(seed):
    predicted, truth = random_case(seed)
    for overlap, value in segment_f1(predicted, truth, (0.1, 0.25, 0.5, 0.75)).items():
        right = wrong = missed = 0
        for record, true in zip(predicted, truth, strict=True):
            taken = set()
            for span in sorted(record.spans, key=lambda each: each.start):
                values = [iou(span, each) if each.label == span.label else 0 for each in true.spans]
                best = int(np.argmax(values)) if values else None
                if best is not None and values[best] >= overlap and best not in taken:
                    taken.add(best)
                    right += 1
                else:
                    wrong += 1
            missed += len(true.spans) - len(taken)
        precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
        expected = 2 * precision * recall / (precision + recall) if right else 0
        assert value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(6))
def test_spotting_is_that_of_soccernet(seed):
    predicted, truth = random_case(seed, points=True)
    tolerances = (0.5, 1.0, 2.0, 4.0)
    precision = spotting_average_precision(predicted, truth, tolerances)
    means = []
    for tolerance in tolerances:
        values = []
        for name in precision.classes:
            rows, count = [], 0
            for record, true in zip(predicted, truth, strict=True):
                spans = [span for span in record.spans if span.label == name]
                right = [False] * len(spans)
                points = sorted(span.start for span in true.spans if span.label == name)
                count += len(points)
                for point in points:
                    away = [abs(span.start - point) for span in spans]
                    near = [n for n in range(len(spans)) if away[n] <= tolerance / 2]
                    near = [n for n in near if not right[n]]
                    if near:
                        right[max(near, key=lambda n: spans[n].score)] = True
                rows += [(span.score, hit) for span, hit in zip(spans, right, strict=True)]
            curve = []
            for threshold, _ in rows:
                kept = [hit for score, hit in rows if score >= threshold]
                curve.append((sum(kept) / count, sum(kept) / len(kept)))
            levels = [n / 10 for n in range(11)]
            values.append(
                np.mean([max([p for r, p in curve if r >= level], default=0) for level in levels])
            )
        means.append(np.mean(values))
    np.testing.assert_allclose(precision.values.mean(axis=1), means)
    area = sum((b - a) * (x + y) / 2 for a, b, x, y in
               zip(tolerances, tolerances[1:], means, means[1:], strict=False))  # fmt: skip
    assert precision.average == pytest.approx(area / 3.5)
    assert np.all(np.diff(precision.values.mean(axis=1)) >= -1e-12) or seed


def test_frames_are_scored_by_the_nearest_window():
    record = SpanRecord("x", (Span("a", 0, 2), Span("b", 1, 3)), ("a", "b"), 4.0,
                        (Span("a", 3.5, 4),))  # fmt: skip
    starts = np.arange(0, 4, 0.5)
    times = starts + 0.25
    scores = np.stack([times < 2, (times >= 1) & (times < 3), times > 3], 1).astype("float32")
    windows = {"x": WindowScores(starts, starts + 0.5, scores)}
    names = ("a", "b", "background")
    assert frame_mean_average_precision(windows, [record], names) == 1
    # Errors in an ignored span do not count, all others do.
    scores[-1, 0] = 2
    assert frame_mean_average_precision(windows, [record], names) == 1
    scores[-2, 0] = 2
    assert frame_mean_average_precision(windows, [record], names) < 0.95
    with pytest.raises(ValueError, match="received no windows of x"):
        frame_mean_average_precision({}, [record], names)
    with pytest.raises(ValueError, match="expected 'b' among them"):
        frame_mean_average_precision(windows, [record], ("a", "c", "d"))
    with pytest.raises(ValueError, match="scores of 3 classes and 2 class names"):
        frame_mean_average_precision(windows, [record], ("a", "b"))


def test_overlap_of_points_and_spans():
    np.testing.assert_allclose(
        temporal_iou([(0, 4), (5, 5)], [(2, 6), (5, 5)]), [[2 / 6, 0], [0, 0]]
    )
