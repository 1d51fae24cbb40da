"""`keras-video pack`: flags, killed runs, and training on the shards."""

import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from keras_video import data
from keras_video.cli.main import main
from tests.cli.running import call, command_line, environment, start

ROW = "tsn_r18_1x1x4_moving_shapes"
HIDDEN = (".shards.lock",)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in HIDDEN}


@pytest.fixture
def where(tiny_videos, tmp_path):
    shutil.copy(tiny_videos / "list.txt", tmp_path / "train.txt")
    return [f"--list={tmp_path}/train.txt", f"--data_root={tiny_videos}", f"--out={tmp_path}/out"]


def test_flags(where, tiny_videos, tmp_path, capsys):
    assert main(["pack", *where, "--shards=20", "--container=tar", "--workers=2"]) == 0
    assert "8 examples are in" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("train-*-of-00008.tar"))) == 8
    assert main(["pack", *where, "--shards=20", "--container=tar"]) == 0
    assert "8 shards, 8 of them already done" in capsys.readouterr().out
    assert main(["pack", *where, "--shards=20"]) == 1
    error = capsys.readouterr().err
    assert "container='tar'" in error and "now container='tfrecord'" in error
    assert main(["check", f"--list={tmp_path}/out", f"--out={tmp_path}/bad.csv"]) == 0
    (tmp_path / "names.txt").write_text("left\nright\n")
    names = [f"--class_names={tmp_path}/names.txt", "--noshuffle", "--name=part"]
    assert main(["pack", *where[:2], f"--out={tmp_path}/order", *names]) == 0
    manifest = json.loads((tmp_path / "order/manifest.json").read_text())
    assert manifest["settings"]["class_names"] == ["left", "right"]
    assert manifest["settings"]["seed"] is None and list(manifest["finished"]) == [
        "part-00000-of-00001.tfrecord"
    ]


def test_packed_frames_and_audio_are_read_by_their_manifest(tmp_path, capsys):
    from tests.data.sources.test_raw_frames import write_frames

    for name in ("a", "b"):
        write_frames(tmp_path / name / "one", template="{:03}.png")
    flags = [f"--list={tmp_path}", f"--out={tmp_path}-out", "--source=rawframes"]
    assert main(["pack", *flags, "--template={:03}.png"]) == 0
    manifest = json.loads(
        (tmp_path.with_name(tmp_path.name + "-out") / "manifest.json").read_text()
    )
    assert manifest["settings"]["class_names"] == ["a", "b"]
    # Without the flags of the frames.
    checked = [f"--list={tmp_path}-out", f"--out={tmp_path}/bad.csv"]
    assert main(["check", *checked]) == 0
    assert main(["check", *checked, "--source=images"]) == 1
    assert "was packed from RawFrames" in capsys.readouterr().err
    assert main(["check", *checked, "--data_root=x"]) == 1
    assert "data_root=x: has no effect" in capsys.readouterr().err


def test_errors_are_one_line(where, tiny_videos, tmp_path, capsys):
    def error(*flags, status=1):
        assert main(["pack", *flags]) == status
        return capsys.readouterr().err

    assert "--list=None: expected a list to pack, or --verify" in error(where[2])
    for flag in (
        "--seed=1 --noshuffle",
        "--quality=20",
        "--keyframe_every=3",
        "--ray_address=auto",
    ):
        name = flag.split("=")[0]
        message = error(*where, *flag.split())
        assert f"{name}=" in message and "has no effect" in message
    assert "--verify: cannot be combined with --list, --shards" in error(
        where[0], where[2], "--verify", "--shards=2"
    )
    with (tmp_path / "train.txt").open("a") as file:
        file.write("absent.mp4 1\n")
    message = error(*where)
    assert f"{tmp_path}/train.txt:9" in message and "absent.mp4" in message
    assert "--on_error" not in message or "skip" in message
    assert "1 of 9 examples were skipped." in error(*where, "--on_error=skip")
    (tmp_path / "train.txt").write_text("")
    assert "received a file without records" in error(*where)


def test_verify(where, tmp_path, capsys):
    assert main(["pack", *where, "--shards=2"]) == 0
    verify = ["pack", where[2], "--verify"]
    assert main(verify) == 0 and "are intact" in capsys.readouterr().out
    shard = tmp_path / "out/train-00001-of-00002.tfrecord"
    bad = bytearray(shard.read_bytes())
    bad[len(bad) // 4] ^= 1
    shard.write_bytes(bad)
    assert main(verify) == 1
    captured = capsys.readouterr()
    assert "train-00001-of-00002.tfrecord is damaged (other content); damaged: " in captured.out
    assert "1 shards are damaged" in captured.err
    shard.unlink()
    assert main(["pack", *where, "--shards=2"]) == 0 and main(verify) == 0


@pytest.mark.slow(every_change=True)
def test_a_killed_run_resumes(tiny_videos, tmp_path):
    """Killed repeatedly, it writes no finished shard twice and ends with the same bytes."""
    count = 600
    lines = [f"left/video0.mp4 {number % 2}\n" for number in range(count)]
    (tmp_path / "train.txt").write_text("".join(lines))
    flags = [f"--list={tmp_path}/train.txt", f"--data_root={tiny_videos}", "--container=tar"]
    flags += [f"--shards={count // 2}", "--workers=2"]
    out = tmp_path / "out"
    kept = {}
    for _ in range(2):
        command = command_line("pack", *flags, f"--out={out}")
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
        target = len(kept) + 20
        while len(shards := list(out.glob("train-*.tar"))) < target:
            assert process.poll() is None
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        manifest = json.loads((out / "manifest.json").read_text())
        assert 0 < len(manifest["finished"]) < count // 2
        for name, status in kept.items():
            assert (out / name).stat().st_ino == status
        kept = {name: (out / name).stat().st_ino for name in manifest["finished"]}
        with pytest.raises(data.AnnotationError, match="expected all: run keras-video pack again"):
            data.read_annotations(out)
    assert shards
    assert call("pack", *flags, f"--out={out}") is None
    assert all((out / name).stat().st_ino == status for name, status in kept.items())
    assert call("pack", *flags, f"--out={tmp_path}/unbroken") is None
    assert content(out) == content(tmp_path / "unbroken")
    assert not list(out.glob(".part-*")) and not data.verify_shards(out, show_progress=False)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    return data.make_moving_shapes(folder, videos_per_class=4, val_videos_per_class=2, frames=9)


def trained(folder, *flags):
    small = ["--size=32", "--batch_size=4", "--views=1x1", "--epochs=2", "--deterministic"]
    result = start("train", f"--row={ROW}", f"--work_dir={folder}", *small, *flags, timeout=900)
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((folder / "metrics.json").read_text())
    log = (folder / "log.csv").read_text().splitlines()
    # Times are not results of the training.
    names = [
        n for n, name in enumerate(log[0].split(",")) if "time" not in name and "sec" not in name
    ]
    return metrics, [[line.split(",")[n] for n in names] for line in log]


@pytest.mark.slow
def test_training_on_shards_equals_training_on_files(shapes, tmp_path):
    """With two lists and with a split folder: the same metrics in every epoch."""
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{name}\n" for name in shapes.class_names))
    root = f"--data_root={shapes.root}"
    for part, file in (("train", shapes.train_list), ("val", shapes.val_list)):
        flags = [f"--list={file}", root, f"--class_names={names}", "--shards=5"]
        container = {"train": "tar", "val": "tfrecord"}[part]
        out = f"--out={tmp_path}/{part}"
        assert call("pack", *flags, out, f"--container={container}") is None
    lists = [f"--train_list={shapes.train_list}", f"--val_list={shapes.val_list}"]
    files, log = trained(tmp_path / "files", *lists, root, f"--class_names={names}")
    shards = [f"--train_list={tmp_path}/train", f"--val_list={tmp_path}/val/manifest.json"]
    metrics, shards_log = trained(tmp_path / "shards", *shards)
    assert log == shards_log and len(log) == 3
    assert {k: v for k, v in metrics.items() if np.isscalar(v) and "second" not in k} == {
        k: v for k, v in files.items() if np.isscalar(v) and "second" not in k
    }
    assert metrics["videos"] == 2 * len(shapes.class_names)
    # `keras-video evaluate` also reads them, with the same result.
    flags = [f"--model={tmp_path}/shards/model.keras", f"--work_dir={tmp_path}/scores"]
    result = start("evaluate", *flags, f"--list={tmp_path}/val")
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"top1: {metrics['top1']:.4f}" in result.stdout and "videos: 8" in result.stdout


@pytest.mark.slow
def test_training_on_one_folder_of_shards_splits_it_like_class_folders(shapes, tmp_path):
    for record in data.read_annotations(shapes.train_list, shapes.root):
        place = tmp_path / "clips" / shapes.class_names[record.labels[0]]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(record.path, place)
    assert (
        call("pack", f"--list={tmp_path}/clips", f"--out={tmp_path}/packed", "--shards=3") is None
    )
    files, log = trained(tmp_path / "files", f"--data={tmp_path}/clips")
    metrics, shards_log = trained(tmp_path / "shards", f"--data={tmp_path}/packed")
    assert log == shards_log and metrics["top1"] == files["top1"]
    assert metrics["videos"] == files["videos"]
