"""Spans from the scores of windows, and fitted settings."""

import numpy as np
import pytest

from keras_video.data import Span, SpanRecord
from keras_video.inference import SpanSettings, WindowScores, spans
from keras_video.training import fit_span_settings, span_mean_average_precision


def windows_of(*columns, length=1.0):
    scores = np.array(columns, "float32").T
    starts = np.arange(len(scores)) * 1.0
    return WindowScores(starts, starts + length, scores)


def times(detections):
    return [(span.label, round(span.start, 4), round(span.end, 4)) for span in detections]


def test_a_span_begins_and_ends_where_scores_cross_the_threshold():
    windows = windows_of([0, 0.2, 0.8, 0.8, 0, 0])
    # Centers are at 0.5, 1.5, ...; a score of 0.5 is halfway from 0.2 to 0.8.
    (span,) = spans(windows)
    assert (span.start, span.label) == (pytest.approx(2.0), "0")
    assert span.end == pytest.approx(3.5 + (0.8 - 0.5) / 0.8)
    assert span.score == pytest.approx(0.8)
    assert spans(windows, 0.81) == []


def test_spans_reach_the_ends_of_the_video():
    assert times(spans(windows_of([1, 1, 0, 1], length=2.0))) == [("0", 0, 2.5), ("0", 3.5, 5.0)]
    assert times(spans(windows_of([1, 1]))) == [("0", 0, 2)]


def test_gaps_are_merged_before_short_spans_are_dropped():
    windows = windows_of([0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0])
    assert times(spans(windows)) == [("0", 1, 2), ("0", 3, 4), ("0", 8, 9)]
    assert times(spans(windows, merge_gap=1.0)) == [("0", 1, 4), ("0", 8, 9)]
    assert times(spans(windows, merge_gap=1.0, min_length=2.0)) == [("0", 1, 4)]
    assert spans(windows, min_length=2.0) == []
    (merged, _) = spans(windows, merge_gap=1.0)
    assert merged.score == 1


def test_classes_separately_or_only_the_highest():
    windows = windows_of([0.9, 0.9, 0.6, 0.1, 0.1], [0.1, 0.6, 0.9, 0.9, 0.1], [0, 0, 0, 0, 0.8])
    names = ["a", "b", "background"]
    detections = spans(windows, class_names=names, background="background")
    assert [span.label for span in detections] == ["a", "b"]
    assert detections[0].end > detections[1].start
    alone = spans(windows, per_class=False, class_names=names, background=["background"])
    assert [span.label for span in alone] == ["a", "b"]
    assert alone[0].end == pytest.approx(alone[1].start)
    assert [span.label for span in spans(windows, class_names=names)][-1] == "background"


def test_settings_for_every_class():
    windows = windows_of([0, 0.4, 0.4, 0], [0, 0.4, 0.4, 0])
    assert [span.label for span in spans(windows, [0.3, 0.5], class_names="ab")] == ["a"]
    assert [span.label for span in spans(windows, {"b": 0.3}, class_names="ab")] == ["b"]
    detections = spans(windows, 0.2, min_length={"a": 9.0}, class_names="ab")
    assert [span.label for span in detections] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": "high"}, "received threshold='high', expected a number"),
        ({"threshold": [0.5]}, "received 1 numbers as threshold, expected 2"),
        ({"threshold": {"c": 0.5}}, "received threshold for 'c', expected some of"),
        ({"merge_gap": -1}, "received merge_gap=-1, expected seconds of 0 or more"),
        ({"min_length": float("nan")}, "received min_length=nan"),
        ({"class_names": ["a"]}, r"received class_names=\['a'\], expected 2 different"),
        ({"background": "sky"}, "received background='sky', expected some of"),
    ],
)
def test_invalid_settings_are_reported(arguments, message):
    with pytest.raises(ValueError, match=message):
        spans(windows_of([0, 1], [0, 1]), **{"class_names": ["a", "b"], **arguments})


def test_non_finite_scores_are_reported():
    with pytest.raises(ValueError, match=r"shape \(2, 1\), expected finite"):
        spans(windows_of([0, np.nan]))


def test_settings_are_stored_in_files(tmp_path):
    path = tmp_path / "settings.json"
    settings = SpanSettings({"a": 0.3, "b": 0.6}, 0.5, {"a": 1.0, "b": 0.0}, True)
    settings.save(path)
    assert SpanSettings.load(path) == settings
    SpanSettings(threshold=(0.3, 0.6)).save(path)
    assert SpanSettings.load(path).threshold == [0.3, 0.6]
    for text in ("[]", '{"limit": 1}', "no JSON", '{"threshold": ["x"]}', '{"per_class": 2}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"settings.json: .*expected"):
            SpanSettings.load(path)


def noisy_case(seed, count):
    """Videos with spans of two classes; scores of the second are low and have gaps."""
    rng = np.random.default_rng(seed)
    windows, truth = {}, []
    for number in range(count):
        events = [Span(name, start, start + 4.0) for name, start in
                  zip("aba", 5 + np.arange(3) * 8 + rng.uniform(0, 2, 3), strict=True)]  # fmt: skip
        starts = np.arange(0, 30, 0.25)
        middles = starts + 0.25
        columns = []
        for name, high in (("a", 0.9), ("b", 0.35)):
            inside = sum((middles > event.start) & (middles < event.end) for event in events
                         if event.label == name).astype(float)  # fmt: skip
            score = 0.05 + high * inside * (0.8 + 0.2 * rng.uniform(size=len(starts)))
            if name == "b":
                score[rng.uniform(size=len(starts)) < 0.1] = 0.05
            spikes = rng.uniform(size=len(starts)) < 0.03
            columns.append(np.where(spikes & (inside == 0), 0.6, score))
        video = f"{number}.mp4"
        windows[video] = WindowScores(starts, starts + 0.5, np.array(columns, "float32").T)
        truth.append(SpanRecord(video, tuple(events), ("a", "b"), 30.0))
    return windows, truth


def average(windows, truth, **settings):
    predictions = [
        SpanRecord(
            record.video, tuple(spans(windows[record.video], class_names="ab", **settings)), ()
        )
        for record in truth
    ]
    return span_mean_average_precision(predictions, truth).average


@pytest.mark.parametrize("metric", ["map", "f1"])
def test_fitted_settings_are_better_than_others_on_new_videos(metric):
    windows, truth = noisy_case(0, 4)
    few = {"thresholds": (0.1, 0.2, 0.3, 0.5, 0.7), "metric": metric}
    settings = fit_span_settings(windows, truth, "ab", **few)
    assert settings.threshold["b"] < 0.5
    assert set(settings.threshold) == {"a", "b"}
    fresh, expected = noisy_case(1, 4)
    fitted = average(fresh, expected, threshold=settings.threshold,
                     merge_gap=settings.merge_gap, min_length=settings.min_length)  # fmt: skip
    assert fitted > 0.75
    assert fitted > average(fresh, expected) + 0.2
    shared = fit_span_settings(windows, truth, "ab", per_class=False, **few)
    assert isinstance(shared.threshold, float) and not shared.per_class


def test_fitting_needs_windows_and_spans_of_every_class():
    windows, truth = noisy_case(0, 1)
    with pytest.raises(ValueError, match="received no windows of 0.mp4"):
        fit_span_settings({}, truth, "ab")
    three = {
        video: WindowScores(scores.starts, scores.ends, np.pad(scores.scores, ((0, 0), (0, 1))))
        for video, scores in windows.items()
    }
    with pytest.raises(ValueError, match="without spans of 'c'"):
        fit_span_settings(three, truth, "abc", thresholds=[0.5])
    settings = fit_span_settings(three, truth, "abc", thresholds=[0.5], background="c")
    assert set(settings.threshold) == {"a", "b"}
    with pytest.raises(ValueError, match="metric='iou'"):
        fit_span_settings(windows, truth, "ab", metric="iou")
