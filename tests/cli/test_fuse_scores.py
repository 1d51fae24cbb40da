"""`keras-video fuse`, called with command-line arguments."""

import json

import numpy as np
import pytest

from keras_video.inference.score_files import read_scores, write_scores
from tests.cli.running import call

LABELS = np.array([0, 1, 2, 0])
RGB = np.array([[3, 2, 0], [0, 3, 2], [0, 2, 1], [3, 0, 0]], "float32")
FLOW = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 2], [0, 4, 0]], "float32")


@pytest.fixture
def files(tmp_path):
    names = ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    write_scores(tmp_path / "rgb.npz", names, RGB, LABELS, ["x", "y", "z"])
    order = [2, 0, 3, 1]
    shuffled = [f"flow/{names[i][0]}.avi" for i in order]
    write_scores(tmp_path / "flow.npz", shuffled, FLOW[order], LABELS[order])
    return tmp_path


def fuse(files, *flags):
    assert call("fuse", *flags, f"--work_dir={files / 'fused'}") is None
    metrics = files / "fused" / "metrics.json"
    return json.loads(metrics.read_text()) if metrics.exists() else None


def test_reports_what_the_sum_scores(files, capsys):
    report = fuse(
        files, files / "rgb.npz", files / "flow.npz", "--match=stem", "--coefficients=1,1"
    )
    # RGB alone is correct on a, b and d, flow on a, b and c; the sum is correct on a, b and c.
    assert report["top1"] == 0.75 and "top5" not in report  # of three classes
    assert report["mean_class_accuracy"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert "top1: 0.7500" in capsys.readouterr().out
    fused = read_scores(files / "fused" / "scores.npz")
    np.testing.assert_allclose(fused.scores, RGB + FLOW)
    assert fused.names[0] == "a.mp4" and fused.class_names == ("x", "y", "z")


def test_coefficients_and_softmax_change_the_sum(files):
    flags = [files / "rgb.npz", files / "flow.npz", "--match=stem"]
    assert fuse(files, *flags, "--coefficients=1,0.25")["top1"] == 0.75
    assert fuse(files, *flags, "--coefficients=1,0.6")["top1"] == 1
    fuse(files, *flags, "--softmax")
    fused = read_scores(files / "fused" / "scores.npz").scores
    np.testing.assert_allclose(fused.sum(axis=1), 2, rtol=1e-6)


def test_mismatches_are_reported(files):
    flags = [files / "rgb.npz", files / "flow.npz"]
    with pytest.raises(ValueError, match=r"flow.npz: 4 videos of .*rgb.npz are missing: 'a.mp4'"):
        fuse(files, *flags)
    with pytest.raises(ValueError, match="expected numbers"):
        fuse(files, *flags, "--coefficients=1,x")
    with pytest.raises(ValueError, match=r"2 parts and coefficients \[1.0\]"):
        fuse(files, *flags, "--coefficients=1")
    with pytest.raises(ValueError, match="received no score files"):
        fuse(files)
    with pytest.raises(FileNotFoundError, match="none.npz"):
        fuse(files, files / "none.npz")


def test_files_without_labels_are_only_fused(files):
    write_scores(files / "bare.npz", ["a", "b"], RGB[:2])
    assert fuse(files, files / "bare.npz", files / "bare.npz") is None
    np.testing.assert_allclose(read_scores(files / "fused" / "scores.npz").scores, 2 * RGB[:2])
