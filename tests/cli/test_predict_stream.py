"""`keras-video predict --stream`: a causal model processes a video and its scores are written."""

import csv
import json

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import MoViNet
from keras_video.cli.main import main
from keras_video.cli.streaming import causal_rows
from keras_video.data.rows.presets import processing_of
from keras_video.inference.single_view import single_view
from tests.cli.running import call
from tests.videos import moving_gradient, write_video

ROW = "movinet_a0_stream_8x2x1_moving_shapes"
NAMES = ["left", "right", "still"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A stream model with random weights, and its file."""
    keras.utils.set_random_seed(0)
    model = MoViNet(stream=True, input_shape=(8, 64, 64, 3), classes=3)
    kernel = model.get_layer("fc_cls").kernel
    kernel.assign(np.random.default_rng(1).normal(scale=0.03, size=kernel.shape))
    model.preprocessing = zoo.row(ROW).preprocessing().facts()
    model.class_names = NAMES
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return model, path


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "clip.mp4", moving_gradient(36, 72, 80), rate=10)


def of_clip(model, path, numbers):
    """The scores, by name, of a clip of some frames."""
    whole = MoViNet(stream=True, input_shape=(None, 64, 64, 3), classes=3)
    whole.set_weights(model.get_weights())
    processing = processing_of(single_view(model))
    clip = processing.transformed(data.open_video(path).read(numbers))
    scores = whole.predict(processing.normalized(clip)[None], verbose=0)[0]
    return dict(zip(NAMES, scores.tolist(), strict=True))


def by_name(top):
    return {entry["name"]: entry["score"] for entry in top}


@pytest.mark.slow(every_change=True)
def test_the_result_is_that_of_a_clip_of_the_whole_video(model, video, tmp_path, capsys):
    model, path = model
    files = [f"--json={tmp_path}/a.json", f"--csv={tmp_path}/a.csv"]
    assert not call("predict", video, f"--model={path}", "--stream", "--every=1.5", *files)
    (prediction,) = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [window["end"] for window in prediction["windows"]] == [1.6, 3.0, 3.6]
    assert {window["start"] for window in prediction["windows"]} == {0}
    expected = of_clip(model, video, range(0, 36, 2))
    assert by_name(prediction["top"]) == pytest.approx(expected, abs=1e-5)
    first = of_clip(model, video, range(0, 16, 2))
    assert by_name(prediction["windows"][0]["top"]) == pytest.approx(first, abs=1e-5)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["end"] for line in lines[::3]] == ["1.6", "3.0", "3.6"]
    assert {line["name"]: float(line["score"]) for line in lines[-3:]} == pytest.approx(
        expected, abs=1e-5
    )
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == shown[4] == f"{video}:"
    assert "0.00 -     1.60 s" in shown[1]
    assert len(shown) == 5 + len(NAMES)


@pytest.mark.slow(every_change=True)
def test_spans_of_the_latest_frames(model, video, tmp_path):
    _, path = model
    flags = ["--stream", "--averaged_frames=5", "--rate=5", f"--json={tmp_path}/a.json"]
    assert not call("predict", video, f"--model={path}", *flags)
    (prediction,) = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [(window["start"], window["end"]) for window in prediction["windows"]] == [
        (0, 1),
        (1, 2),
        (2, 3),
        (2.6, 3.6),
    ]
    for name in NAMES:
        scores = [by_name(window["top"])[name] for window in prediction["windows"]]
        assert by_name(prediction["top"])[name] == pytest.approx(np.mean(scores), abs=1e-6)


@pytest.mark.slow
def test_the_video_is_drawn_and_lines_are_written_immediately(model, video, tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    _, path = model
    line_counts = []
    monkeypatch.setattr(
        "keras_video.cli.predict.show_window",
        lambda window: line_counts.append((tmp_path / "a.csv").read_text().count("\n")),
    )
    flags = ["--stream", "--top=1", f"--csv={tmp_path}/a.csv", f"--out={tmp_path}/drawn.mp4"]
    assert not call("predict", video, f"--model={path}", *flags)
    assert line_counts == [2, 3, 4, 5]  # including the header
    assert data.open_video(tmp_path / "drawn.mp4").total_frames == 36


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--row=slowonly_r50_4x4x1_moving_shapes", "--stream"], "slowonly_r50_4x4x1_moving_sh"),
        (["--row=movinet_a0_base", "--stream"], "movinet_a0_base is not causal"),
        (
            ["--row=movinet_a0_stream", "--stream", "--window=2"],
            "--window=2.0: has no effect",
        ),
        (
            ["--row=movinet_a0_stream", "--stream", "--optimize=off"],
            "has no effect with --stream",
        ),
        (["--row=movinet_a0_stream", "--every=2"], "--every=2.0: has no effect without --stream"),
        (["--row=movinet_a0_stream", "--averaged_frames=2"], "has no effect without --stream"),
    ],
)
def test_models_that_cannot_stream_are_reported_in_a_line(video, capsys, flags, message):
    assert main(["predict", str(video), *flags]) == 1
    text = capsys.readouterr().err
    assert message in text and len(text.strip().splitlines()) == 1
    if "causal" in text:
        assert "expected one of movinet_a0_stream, movinet_a1_stream" in text


def test_causal_rows_are_the_published_streams():
    assert causal_rows() == [f"movinet_a{number}_stream" for number in range(6)]
