"""Training of temporal action localization, on the synthetic long videos."""

import re
import subprocess
import sys

import pytest

from keras_video import data
from tests.cli.running import ROOT, call, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The work folder and the output of the recipe."""
    folder = tmp_path_factory.mktemp("spans")
    command = [sys.executable, str(ROOT / "recipes" / "train_spans.py")]
    command += [f"--work_dir={folder / 'run'}"]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**environment(), "KERAS_HOME": str(folder)},
        timeout=3000,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, result.stdout


def test_spans_reach_the_expected_accuracy(run):
    _, printed = run
    scores = dict(re.findall(r"^(.+?)\s+average mAP ([0-9.]+)", printed, re.MULTILINE))
    scores = {name: float(value) for name, value in scores.items()}
    assert scores["ActionFormer"] >= 0.8, scores
    assert scores["window scores, fitted"] >= 0.6, scores
    assert scores["window scores, fitted"] > scores["window scores over 0.5"], scores


def test_the_command_line_accepts_the_trained_model(run, tmp_path):
    folder, _ = run
    videos = folder / "keras_video" / "long_videos"
    truth = data.read_spans(videos / "test.csv", videos)[0]
    arguments = [truth.video, f"--model={folder}/run/classifier.keras"]
    arguments += ["--window=0.32", "--stride=0.16"]
    ways = {
        "settings": [f"--settings={folder}/run/settings.json", "--background=background"],
        "detector": [f"--detector={folder}/run/detector.keras"],
    }
    for name, flags in ways.items():
        out = tmp_path / f"{name}.csv"
        assert not call("spans", *arguments, *flags, f"--out={out}")
        (record,) = data.read_spans(out)
        labels = [span.label for span in truth.spans]
        assert set(labels) <= {span.label for span in record.spans}
        assert abs(len(record.spans) - len(labels)) <= 3
