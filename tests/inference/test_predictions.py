import csv
import json

import numpy as np
import pytest

from keras_video.inference.predictions import prediction, write_csv, write_json
from keras_video.inference.sliding_window import WindowScores

pytestmark = pytest.mark.unit

BEST = [(1, "b", 0.75), (0, "caf\udce9", 0.25)]


def test_names_that_are_not_utf8_survive_a_round_trip(tmp_path):
    results = [prediction("x/caf\udce9\n.mp4", BEST), prediction(" b ", BEST)]
    write_json(tmp_path / "a.json", results)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == results
    write_csv(tmp_path / "a.csv", results)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["video"] for row in rows[::2]] == ["x/caf\\udce9\n.mp4", " b "]
    assert rows[1]["name"] == "caf\\udce9"


def test_non_finite_scores_are_not_a_prediction():
    broken = [(0, "a", float("nan")), (1, "b", 0.5)]
    with pytest.raises(ValueError, match="a.mp4: received scores of which 1 of 2 are not finite"):
        prediction("a.mp4", broken)
    windows = WindowScores(np.zeros(1), np.ones(1), np.array([[np.inf, 0]]))
    with pytest.raises(ValueError, match="a.mp4: received scores of which 1 of 2 are not finite"):
        prediction("a.mp4", BEST, windows, lambda scores: [[(0, "a", scores[0, 0]), BEST[0]]])
