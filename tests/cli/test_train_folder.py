"""One command from a folder of clips to an evaluated, exported model, and further commands."""

import json
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from keras_video import data
from keras_video.cli.main import main
from keras_video.inference import load_exported, read_metadata
from keras_video.weights import load_model
from tests.cli.running import command_line, environment, start

ROW = "tsn_r18_1x1x4_moving_shapes"
SMALL = ["--size=32", "--batch_size=4", "--views=1x1"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder with a folder of clips for each class."""
    folder = tmp_path_factory.mktemp("shapes")
    shapes = data.make_moving_shapes(folder / "made", videos_per_class=5, frames=9)
    records = data.read_annotations(shapes.train_list, shapes.train_list.parent)
    for record in records:
        if record.labels[0] < 2:
            place = folder / "clips" / shapes.class_names[record.labels[0]]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(record.path, place)
    return folder / "clips"


@pytest.fixture(scope="module")
def run(clips, tmp_path_factory):
    """A run of one epoch, and its output."""
    folder = tmp_path_factory.mktemp("run") / "run"
    flags = [f"--data={clips}", "--epochs=1", "--export=litert", f"--work_dir={folder}", *SMALL]
    result = start("train", f"--row={ROW}", *flags)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, flags, result


@pytest.mark.slow
def test_one_command_evaluates_and_exports(clips, run):
    folder, _, result = run
    names = sorted(path.name for path in clips.iterdir())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["videos"] == metrics["videos_listed"] == 2  # a fifth of ten
    assert "top5" not in metrics and metrics["last_val_loss"] > 0
    assert f"Exported {folder}/model.tflite (litert)" in result.stdout
    assert read_metadata(folder / "model.tflite")["class_names"] == names
    model = load_model(folder / "model.keras")
    shape = (1, *(size or 32 for size in model.input_shape[1:]))
    noise = np.random.default_rng(0).normal(size=shape).astype("float32")
    exported = load_exported(folder / "model.tflite")(noise)
    np.testing.assert_allclose(exported, model.predict_on_batch(noise), atol=1e-4)


@pytest.mark.slow(every_change=True)
def test_output_has_no_control_characters(run):
    _, _, result = run
    for text in (result.stdout, result.stderr):
        assert not {"\x1b", "\b", "\r"} & set(text)
    assert "oneDNN" not in result.stderr and "InitializeLog" not in result.stderr
    assert len(result.stderr.splitlines()) <= 2, result.stderr


def test_the_same_command_says_that_it_is_finished(run, capsys):
    folder, flags, _ = run
    before = {path: path.stat().st_mtime for path in folder.rglob("*.keras")}
    assert main(["train", f"--row={ROW}", *flags]) == 0
    assert "finished, 1 of 1 epochs" in capsys.readouterr().out
    assert {path: path.stat().st_mtime for path in folder.rglob("*.keras")} == before


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--learning_rate=0.5", "learning_rate None -> 0.5: use --noresume or another --work_dir"),
        ("--split_seed=4", "split_seed 0 -> 4"),
        ("--validation_split=0.4", "validation_split 0.2 -> 0.4"),
        ("--ema=0.9", "ema None -> 0.9"),
    ],
)
def test_changed_settings_are_reported_before_anything_is_written(run, flag, message, capsys):
    folder, flags, _ = run
    before = times_of_results(folder)
    assert main(["train", f"--row={ROW}", *flags, flag]) == 1
    assert message in capsys.readouterr().err
    assert times_of_results(folder) == before


def times_of_results(folder):
    """When the files of a run were written, except those that this process still logs to."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".INFO" not in path.name)
    return {path: path.stat().st_mtime for path in files}


@pytest.mark.slow
def test_a_folder_is_evaluated_as_a_list(clips, run, tmp_path, capsys):
    folder, _, _ = run
    work = f"--work_dir={tmp_path}/evaluation"
    arguments = [f"--model={folder}/model.keras", "--views=1x1", work]
    assert main(["evaluate", *arguments, f"--list={clips}"]) == 0
    shown = capsys.readouterr().out
    assert "videos: 10" in shown and "\nloss: " in "\n" + shown
    with np.load(tmp_path / "evaluation" / "scores.npz", allow_pickle=False) as file:
        assert any("/" in str(name) and str(clips) not in str(name) for name in file["names"])
    # A single class keeps its label in the model.
    name = sorted(path.name for path in clips.iterdir())[1]
    shutil.copytree(clips / name, tmp_path / "part" / name)
    assert main(["evaluate", *arguments, f"--list={tmp_path}/part"]) == 0
    assert "videos: 5" in capsys.readouterr().out
    (tmp_path / "part" / "swimming").mkdir()
    assert main(["evaluate", *arguments, f"--list={tmp_path}/part"]) == 1
    assert "['swimming'], which are not classes" in capsys.readouterr().err


@pytest.mark.slow(every_change=True)
def test_features_and_shards_of_a_folder(clips, run, tmp_path, capsys):
    folder, _, _ = run
    out = tmp_path / "features"
    assert not main(
        ["features", f"--list={clips}", f"--model={folder}/model.keras", f"--out={out}"]
    )
    assert len(list(out.rglob("*.npy"))) == 10
    shards = [f"--list={clips}", f"--out={tmp_path}/shards", "--shards=2"]
    assert main(["pack", *shards]) == 0
    assert main(["check", f"--list={clips}", f"--out={tmp_path}/bad.csv"]) == 0
    assert main(["check", f"--list={clips}", "--data_root=x", f"--out={tmp_path}/bad.csv"]) == 1
    assert "data_root=x: has no effect" in capsys.readouterr().err


@pytest.mark.slow(every_change=True)
def test_a_damaged_clip_ends_training_in_two_lines(clips, tmp_path):
    shutil.copytree(clips, tmp_path / "clips")
    victim = sorted((tmp_path / "clips").rglob("*.mp4"))
    for path in victim:
        path.write_bytes(b"no video at all" * 20)
    flags = [f"--data={tmp_path}/clips", "--epochs=1", f"--work_dir={tmp_path}/run", *SMALL]
    result = start("train", f"--row={ROW}", *flags)
    assert result.returncode == 1
    *_, first, second = result.stderr.splitlines()
    assert "cannot decode" in first and str(tmp_path / "clips") in first
    assert second == "--on_error=skip skips videos that cannot be read."
    assert "Traceback" not in result.stderr and len(result.stderr.splitlines()) <= 4


def test_a_batch_larger_than_the_data_is_reported_in_a_line(clips, tmp_path, capsys):
    flags = [f"--data={clips}", f"--work_dir={tmp_path}/run", "--batch_size=100"]
    assert main(["train", f"--row={ROW}", *flags]) == 1
    lines = capsys.readouterr().err.splitlines()
    (line,) = (line for line in lines if line.startswith("keras-video"))
    assert "received 8 videos and batch_size=100" in line and "smaller batch size" in line


@pytest.mark.slow(every_change=True)
def test_a_missing_connection_is_reported_in_a_line(tmp_path):
    environment_without = {
        **environment(),
        "KERAS_HOME": str(tmp_path),
        "KERAS_VIDEO_MIRROR": "http://127.0.0.1:9/none",
    }
    command = command_line(
        "summary", "--row=c3d_sports1m_16x1x1_45e_ucf101_rgb", "--weights=ucf101"
    )
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment_without, timeout=300
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "Could not fetch" in line and "KERAS_VIDEO_MIRROR" in line


@pytest.mark.slow
def test_an_interrupted_training_says_how_to_resume(clips, tmp_path):
    flags = [f"--data={clips}", "--epochs=500", f"--work_dir={tmp_path}/run", "--novalidate"]
    process = subprocess.Popen(
        command_line("train", f"--row={ROW}", *flags, *SMALL),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    end = time.monotonic() + 240
    while not (tmp_path / "run" / "backup" / "state.json").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run again to resume" in text and "Traceback" not in text


@pytest.mark.slow
def test_a_learning_rate_is_searched_for(clips, tmp_path, capsys):
    flags = [f"--data={clips}", f"--work_dir={tmp_path}/run", "--lr_find", *SMALL]
    assert main(["train", f"--row={ROW}", *flags]) == 0
    text = capsys.readouterr().out
    assert "--learning_rate=" in text or "no rate is suggested" in text
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"lr_find.csv", "lr_find.png"} <= names
    assert not names & {"settings.json", "model.keras", "backup"}
