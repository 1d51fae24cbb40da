"""Training, run as by a user, on a few generated videos."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import data
from tests.cli.running import ROOT, command_line, environment

RECIPE = ROOT / "recipes" / "train_tsn.py"
ROW = "--row=tsn_r18_1x1x4_moving_shapes"
SMALL = ["--size=32", "--batch_size=4", "--noresume"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return data.make_moving_shapes(folder, videos_per_class=3, val_videos_per_class=1, frames=9)


def command(shapes, work_dir, *flags):
    names = work_dir.parent / "names.txt"
    names.write_text("\n".join(shapes.class_names) + "\n")
    lists = [
        f"--train_list={shapes.train_list}",
        f"--val_list={shapes.val_list}",
        f"--data_root={Path(shapes.train_list).parent}",
        f"--class_names={names}",
    ]
    return command_line("train", ROW, *lists, f"--work_dir={work_dir}", *flags)


def train(shapes, work_dir, *flags):
    run = subprocess.run(
        command(shapes, work_dir, *flags), capture_output=True, text=True, env=environment()
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.mark.slow(every_change=True)
def test_a_run_leaves_a_readable_folder(shapes, tmp_path):
    work_dir = tmp_path / "run"
    printed = train(shapes, work_dir, "--epochs=1", "--mixed_precision", *SMALL)
    metrics = json.loads((work_dir / "metrics.json").read_text())
    assert metrics["videos"] == len(shapes.class_names)
    assert 0 <= metrics["top1"] <= metrics.get("top5", 1.0) <= 1
    names = {path.name for path in work_dir.iterdir()}
    assert {"model.keras", "best.keras", "log.csv", "confusion.csv", "settings.json"} <= names
    assert json.loads((work_dir / "settings.json").read_text())["epochs"] == 1
    predicted = [line for line in printed.splitlines() if line.endswith(shapes.class_names[0])]
    assert predicted
    model = keras.models.load_model(work_dir / "model.keras")
    assert model.class_names == list(shapes.class_names)
    assert model.preprocessing["spatial"]["crop"]["size"] == 32


@pytest.mark.slow
def test_the_written_script_trains_like_the_command(shapes, tmp_path):
    lists = [f"--train_list={shapes.train_list}", f"--val_list={shapes.val_list}"]
    lists += [f"--data_root={Path(shapes.train_list).parent}", f"--work_dir={tmp_path}/script"]
    run = subprocess.run(
        [sys.executable, str(RECIPE), *lists, "--epochs=1", "--size=32", "--batch_size=4"],
        capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    train(shapes, tmp_path / "command", "--epochs=1", "--size=32", "--batch_size=4")
    models = [
        keras.models.load_model(tmp_path / name / "model.keras") for name in ("script", "command")
    ]
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)
    assert f"  {shapes.class_names[0]}" not in run.stdout  # classes are numbers in these lists
    assert (tmp_path / "script" / "metrics.json").exists()


def test_a_single_list_of_a_pair_is_rejected(shapes, tmp_path):
    broken = [flag for flag in command(shapes, tmp_path / "run", *SMALL) if "val_list" not in flag]
    run = subprocess.run(broken, capture_output=True, text=True, env=environment())
    assert run.returncode != 0
    assert "give both or neither" in run.stderr


@pytest.mark.slow
def test_a_killed_run_ends_like_an_uninterrupted_one(shapes, tmp_path):
    flags = ["--epochs=3", "--deterministic", "--novalidate", "--size=32", "--batch_size=4"]
    train(shapes, tmp_path / "unbroken", *flags)
    process = subprocess.Popen(
        command(shapes, tmp_path / "killed", *flags),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    wait_for(tmp_path / "killed" / "backup" / "state.json", process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.keras").exists()
    train(shapes, tmp_path / "killed", *flags)
    models = [
        keras.models.load_model(tmp_path / name / "model.keras") for name in ("unbroken", "killed")
    ]
    for unbroken, killed in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(unbroken, killed)


def wait_for(path, process, seconds=300):
    """Waits until a run has backed up its first epoch."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, "the run ended early"
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)
