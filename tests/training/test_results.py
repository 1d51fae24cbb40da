import csv
import json
import sys

import numpy as np
import pytest

from keras_video.training.results import write_results

SCORES = np.eye(3)[[0, 0, 1, 2, 2, 1]] * 0.8 + 0.1
LABELS = np.array([0, 0, 1, 1, 2, 2])
NAMES = ["walk", "run, fast", "jump"]
HISTORY = {
    "epoch": [1.0, 2.0, 3.0],
    "loss": [1.0, 0.4, 0.5],
    "learning_rate": [0.1, 0.1, 0.01],
    "val_top1": [float("nan"), 0.7, 0.6],
}


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_metrics_and_tables(tmp_path):
    report = write_results(tmp_path / "run", SCORES, LABELS, NAMES, HISTORY)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == report
    assert report["top1"] == pytest.approx(4 / 6)
    assert report["mean_class_accuracy"] == pytest.approx(2 / 3)
    assert (report["videos"], report["classes"], report["epochs"]) == (6, 3, 3)
    assert (report["last_loss"], report["best_loss"]) == (0.5, 0.4)
    assert (report["last_val_top1"], report["best_val_top1"]) == (0.6, 0.7)
    assert table(tmp_path / "run" / "confusion.csv") == [
        ["true \\ predicted", *NAMES],
        ["walk", "2", "0", "0"],
        ["run, fast", "0", "1", "1"],
        ["jump", "0", "1", "1"],
    ]
    rows = table(tmp_path / "run" / "classes.csv")
    assert rows[2] == ["1", "run, fast", "2", "1", "0.5000", "2", "jump"]
    assert rows[1][-1] == ""


def test_plots_are_written(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    write_results(tmp_path, SCORES, LABELS, NAMES, HISTORY)
    for name in ("confusion.png", "curve.png"):
        pixels = image.imread(tmp_path / name)[..., :3]
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 0.05


@pytest.mark.parametrize("classes", [2, 30, 60])
def test_any_number_of_classes_is_plotted(tmp_path, classes):
    pytest.importorskip("matplotlib")
    labels = np.arange(classes)
    write_results(tmp_path, np.eye(classes), labels, history={"val_top1": [1.0]})
    assert (tmp_path / "confusion.png").is_file()
    assert (tmp_path / "curve.png").is_file()


def test_without_matplotlib_only_the_plots_are_missing(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lines = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *_: lines.append(text))
    write_results(tmp_path, SCORES, LABELS, NAMES, HISTORY)
    assert lines == ["No plots written: pip install keras-video[plots]"]
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"metrics.json", "classes.csv", "confusion.csv"}


def test_multi_label_results(tmp_path):
    targets = np.eye(3, dtype="float32")[LABELS]
    targets[0, 1] = 1
    report = write_results(tmp_path, SCORES, targets, NAMES)
    assert 0 < report["mean_average_precision"] < 1
    assert "top1" not in report
    assert not (tmp_path / "confusion.csv").exists()
    rows = table(tmp_path / "classes.csv")
    assert rows[2][:3] == ["1", "run, fast", "3"]
    assert float(rows[1][3]) == 1.0


def test_names_must_match_the_classes(tmp_path):
    with pytest.raises(ValueError, match="3 classes but 2 class names"):
        write_results(tmp_path, SCORES, LABELS, NAMES[:2])


def test_entries_without_annotation_are_not_in_the_table(tmp_path):
    targets = np.eye(3, dtype="float32")[LABELS]
    targets[:, 1] = [-1, -1, 1, 0, 0, -1]
    report = write_results(tmp_path, SCORES, targets, NAMES)
    rows = table(tmp_path / "classes.csv")
    assert rows[2] == ["1", "run, fast", "1", "1.0000"]
    values = [float(row[3]) for row in rows[1:]]
    assert report["mean_average_precision"] == pytest.approx(np.mean(values), abs=1e-4)


@pytest.mark.parametrize(
    ("names", "written"),
    [(None, ["0", "1"]), (["sit", "run"], ["sit", "run"]), (("run",), ["not run", "run"])],
)
@pytest.mark.parametrize("column", [False, True])
def test_one_output_has_two_classes_in_the_files(tmp_path, names, written, column):
    scores, labels = np.array([[0.9], [0.2], [0.6]]), np.array([1, 0, 0])
    report = write_results(tmp_path, scores, labels[:, None] if column else labels, names)
    assert (report["top1"], report["classes"], report["videos"]) == (pytest.approx(2 / 3), 2, 3)
    assert json.loads((tmp_path / "metrics.json").read_text()) == report
    assert table(tmp_path / "confusion.csv") == [
        ["true \\ predicted", *written],
        [written[0], "1", "1"],
        [written[1], "0", "1"],
    ]


def test_the_numbers_of_listed_and_failed_videos(tmp_path):
    report = write_results(tmp_path, SCORES, LABELS, listed=10)
    assert [report[name] for name in ("videos", "videos_listed", "videos_failed")] == [6, 10, 4]
    assert "videos_listed" not in write_results(tmp_path, SCORES, LABELS)


def test_non_finite_scores_leave_no_files(tmp_path):
    with pytest.raises(ValueError, match="18 of 18 are not finite, in 6 of 6 videos"):
        write_results(tmp_path / "run", SCORES * np.nan, LABELS)
    assert not (tmp_path / "run").exists()


def test_names_of_classes_need_not_be_utf8(tmp_path):
    write_results(tmp_path, SCORES, LABELS, ["caf\udce9", "a\nb", "c"])
    rows = table(tmp_path / "classes.csv")
    assert [row[1] for row in rows[1:]] == ["caf\\udce9", "a\nb", "c"]
