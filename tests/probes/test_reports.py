import json

import numpy as np
import pytest

from keras_video.probes.reports import find_suspects, report_of, wilson_interval

NAMES = ("cut", "pour", "stir")


def test_the_interval_is_wilsons():
    # statsmodels.stats.proportion.proportion_confint(count, n, method="wilson"), alpha 0.05
    for right, count, expected in ((8, 10, (0.4902, 0.9433)), (0, 20, (0.0, 0.1611))):
        assert wilson_interval(right, count) == pytest.approx(expected, abs=1e-4)
    low, high = wilson_interval(10, 10)
    assert high == pytest.approx(1) and low == pytest.approx(0.7225, abs=1e-4)


def scores_of(labels, sure=0.8):
    scores = np.full((len(labels), 3), (1 - sure) / 2, np.float32)
    scores[np.arange(len(labels)), labels] = sure
    return scores


def test_counts_and_accuracies():
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    report = report_of(scores_of(predicted), labels, NAMES, [f"{i}.mp4" for i in range(6)])
    assert report.accuracy == pytest.approx(4 / 6) and report.videos == 6
    assert report.mean_class_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert report.confusion.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert json.loads(json.dumps(report.facts()))["accuracy"] == report.accuracy
    text = report.text()
    assert "66.7% of 6 videos" in text and "pour" in text


def test_wrong_labels_are_found_among_right_ones():
    rng = np.random.default_rng(0)
    true = np.arange(90) % 3
    labels = true.copy()
    wrong = [4, 31, 77]
    labels[wrong] = (true[wrong] + 1) % 3
    scores = scores_of(true, 0.7) + rng.uniform(0, 0.05, (90, 3)).astype(np.float32)
    scores[wrong, true[wrong]] = 0.8
    suspects = find_suspects(scores, labels, NAMES, [f"{i}.mp4" for i in range(90)])
    assert {suspect.path for suspect in suspects} == {f"{i}.mp4" for i in wrong}
    four = next(suspect for suspect in suspects if suspect.path == "4.mp4")
    assert (four.label, four.suggested) == (NAMES[labels[4]], NAMES[true[4]])
    assert four.suggested_score > four.label_score
    gaps = [suspect.suggested_score - suspect.label_score for suspect in suspects]
    assert gaps == sorted(gaps, reverse=True)


def test_many_suspects_are_attributed_to_the_features():
    paths = [f"{i}.mp4" for i in range(30)]
    labels = np.arange(30) % 3
    for wrong, warned in ((2, False), (12, True)):
        predicted = labels.copy()
        predicted[:wrong] = (labels[:wrong] + 1) % 3
        report = report_of(scores_of(predicted), labels, NAMES, paths)
        assert len(report.suspects) == wrong
        assert ("reflect on the features" in report.text()) == warned


def test_suspects_are_written_as_a_table():
    report = report_of(scores_of([1, 1, 1, 0]), np.array([0, 1, 1, 0]), NAMES, ["a,b.mp4", *"xyz"])
    lines = report.suspects_csv().splitlines()
    assert lines[0] == "video,label,suggested,label_score,suggested_score"
    assert lines[1].startswith('"a,b.mp4",cut,pour,0.1000,0.8000')
