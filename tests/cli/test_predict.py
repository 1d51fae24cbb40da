"""`keras-video predict`, run as by a user, on generated videos and a model with random weights."""

import csv
import io
import json
import os

import pytest

from keras_video import data, zoo
from keras_video.applications import TSN
from tests.cli.running import call, start
from tests.videos import moving_gradient, write_video

NAMES = ["circle", "square", "triangle"]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3))
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    model.class_names = NAMES
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


@pytest.mark.slow(every_change=True)
def test_a_folder_is_predicted_and_drawn(model_file, tmp_path):
    folder = tmp_path / "videos"
    (folder / "deeper").mkdir(parents=True)
    for number, place in enumerate(("one.mp4", "deeper/two.mp4")):
        write_video(folder / place, moving_gradient(20, 72, 80, seed=number), rate=10)
    (folder / "bad.mp4").write_text("not a video")
    flags = [f"--out={tmp_path}/drawn", f"--json={tmp_path}/p/a.json", f"--csv={tmp_path}/a.csv"]
    run = start(
        "predict",
        folder,
        f"--model={model_file}",
        "--window=1",
        "--stride=0.5",
        "--top=2",
        *flags,
    )
    assert run.returncode == 1
    assert "bad.mp4" in run.stderr
    assert "1 of 3 videos could not be read" in run.stderr
    predictions = json.loads((tmp_path / "p" / "a.json").read_text())
    assert [prediction["video"] for prediction in predictions] == [
        str(folder / "deeper" / "two.mp4"),
        str(folder / "one.mp4"),
    ]
    for prediction in predictions:
        assert [window["start"] for window in prediction["windows"]] == [0, 0.5, 1]
        assert len(prediction["top"]) == 2
        assert prediction["top"][0]["score"] >= prediction["top"][1]["score"]
        assert {entry["name"] for entry in prediction["top"]} < set(NAMES)
    with (tmp_path / "a.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 3 * 2
    assert lines[0]["name"] == predictions[0]["windows"][0]["top"][0]["name"]
    assert data.open_video(tmp_path / "drawn" / "deeper" / "two.mp4").total_frames == 20


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.mp4", "--row=tsn_r18_1x1x4_moving_shapes"], "nowhere.mp4, expected a video"),
        ([__file__], "--row=None --model=None: expected one of them"),
    ],
    ids=["no video", "no model named"],
)
def test_missing_arguments_are_reported(arguments, message):
    run = start("predict", *arguments)
    assert run.returncode != 0
    assert message in run.stderr


def test_names_that_are_not_utf8_and_one_output(tmp_path, capsys):
    shape = (4, 64, 64, 3)
    activation = {"classifier_activation": "sigmoid"}
    model = TSN(backbone="resnet18", classes=1, input_shape=shape, **activation)
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    model.class_names = ["no", "yes"]
    model.save(tmp_path / "model.keras")
    folder = tmp_path / "videos"
    folder.mkdir()
    names = [b"caf\xe9\n.mp4", b"ok.MP4"]
    for number, name in enumerate(names):
        clip = write_video(tmp_path / "clip.mp4", moving_gradient(8, 72, 80, seed=number), rate=10)
        clip.rename(folder / os.fsdecode(name))
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.mp4").touch()
    files = [f"--json={tmp_path}/a.json", f"--csv={tmp_path}/a.csv"]
    assert not call("predict", folder, f"--model={tmp_path}/model.keras", *files)
    predictions = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    videos = [os.fsencode(prediction["video"]) for prediction in predictions]
    assert [video.rsplit(b"/", 1)[1] for video in videos] == names
    for prediction in predictions:
        scores = {entry["name"]: entry["score"] for entry in prediction["top"]}
        assert set(scores) == {"no", "yes"} and sum(scores.values()) == pytest.approx(1)
    shown = capsys.readouterr().out
    shown.encode("utf-8")
    assert "caf\\udce9\\n.mp4:" in shown
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert len(list(csv.DictReader(io.StringIO(text, newline="")))) == 4
