"""Training on audio, on a few generated videos."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.training.lists import audio_annotation_format, find_lists
from keras_video.training.settings import RunSettings
from tests.cli.running import call

AUDIO = "--row=audio_r18_40x1x1_audio_shapes"
BOTH = "--row=avslowfast_r50_16x2x1_audio_shapes"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return data.make_audio_shapes(folder, videos_per_class=2, val_videos_per_class=1, size=32)


def lists(shapes):
    return [
        f"--train_list={shapes.train_list}",
        f"--val_list={shapes.val_list}",
        f"--data_root={shapes.root}",
    ]


@pytest.mark.slow(every_change=True)
def test_a_run_on_the_audio_of_videos(shapes, tmp_path, capsys):
    flags = ["--epochs=1", "--batch_size=4", "--noresume", f"--work_dir={tmp_path / 'run'}"]
    call("train", AUDIO, *lists(shapes), *flags)
    report = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert report["videos"] == 4 and 0 <= report["top1"] <= 1
    assert f"{shapes.root}/val/low/0000.mp4" in capsys.readouterr().out
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model.preprocessing["audio"]["mels"] == 40
    assert model.class_names == ["0", "1", "2", "3"]


@pytest.mark.parametrize("row", [AUDIO, pytest.param(BOTH, marks=pytest.mark.slow)])
def test_a_dry_run_takes_one_step(row, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call("train", row, "--dry_run", "--batch_size=2")
    assert "audio_shapes: 2 clips, loss" in capsys.readouterr().out
    assert not any(tmp_path.iterdir())


def test_lists_may_state_the_frames_or_not(tmp_path):
    row = zoo.row("tsn_r50_64x1x1_100e_kinetics400_audio")
    (tmp_path / "plain.txt").write_text("a b.wav 3\n")
    (tmp_path / "frames.txt").write_text("a b.wav 300 3\n")
    assert audio_annotation_format(tmp_path / "plain.txt", row) is data.video_lines
    assert audio_annotation_format(tmp_path / "frames.txt", row) is data.frame_lines
    assert audio_annotation_format(tmp_path / "some.json", row) is None


def test_features_are_recognized_by_their_extension(tmp_path):
    row = zoo.row("tsn_r18_64x1x1_100e_kinetics400_audio_feature")
    np.save(tmp_path / "a.npy", np.zeros((9, 80)))
    (tmp_path / "list.txt").write_text("a.npy 300 2\n")
    settings = RunSettings(
        row=row.id,
        train_list=str(tmp_path / "list.txt"),
        val_list=str(tmp_path / "list.txt"),
        data_root=str(tmp_path),
    )
    run_lists = find_lists(settings, row)
    assert run_lists.source == data.AudioFeatures(128, 80)
    assert run_lists.class_names == ("0", "1", "2")
    with pytest.raises(ValueError, match="give both or neither"):
        dataclasses.replace(settings, val_list=None)
