"""Lists processed in several processes, run as by a user: killed midway and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keras_video import inference
from keras_video.cli.long_lists import listed_videos
from keras_video.training.saving import save_model
from tests.cli.running import call, command_line, environment, start
from tests.probes.test_extraction import small_model


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_videos):
    """A folder with `model.keras` and `list.txt`, which lists eight videos ten times each."""
    place = tmp_path_factory.mktemp("place")
    save_model(small_model(), place / "model.keras")
    (place / "list.txt").write_text((tiny_videos / "list.txt").read_text() * 10)
    return place


def flags(place, tiny_videos, *more):
    root = f"--data_root={tiny_videos}"
    return [f"--model={place}/model.keras", root, "--optimize=off", "--shard_size=8", *more]


def test_predictions_in_shards(place, tiny_videos, tmp_path, capsys):
    arguments = flags(place, tiny_videos, "--engine=local", f"--out={tmp_path}/out")
    assert not call("predict", place / "list.txt", *arguments)
    out = capsys.readouterr().out
    assert f"Scores of 80 videos are in {tmp_path}/out: 10 shards, 0 of them already done." in out
    assert not call("predict", place / "list.txt", *arguments)
    assert "10 shards, 10 of them already done." in capsys.readouterr().out
    rows = inference.read_shards(tmp_path / "out")
    assert rows["scores"].shape == (80, 2) and rows["labels"][:2] == [(0,), (1,)]
    call("predict", tiny_videos / "left", *arguments[:1], f"--json={tmp_path}/a.json")
    predictions = {
        prediction["video"]: prediction["top"]
        for prediction in json.loads((tmp_path / "a.json").read_text())
    }
    for entry in predictions[rows["path"][0]]:
        assert entry["score"] == pytest.approx(rows["scores"][0][entry["class"]], rel=1e-5)


def test_features_in_shards_and_unreadable_videos(place, tiny_videos, tmp_path, capsys):
    arguments = flags(place, tiny_videos)[:1] + ["--engine=local", f"--out={tmp_path}/out"]
    status = call("features", tiny_videos, *arguments, "--view_features=mean", "--on_error=skip")
    assert status == "1 of 9 videos could not be read."
    assert "Features of 8 videos are in" in capsys.readouterr().out
    assert inference.read_shards(tmp_path / "out")["features"].shape == (8, 6)
    with pytest.raises(ValueError, match="cannot decode .*bad.mp4"):
        call("features", tiny_videos, *arguments[:-1], f"--out={tmp_path}/other")


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("predict", ["--workers=3"], "--workers=3: has no effect without --engine"),
        ("predict", ["--format=npz"], "--format=npz: has no effect without --engine"),
        ("predict", ["--data_root=x"], "--data_root=x: has no effect without --engine"),
        ("predict", ["--engine=local"], "--out=None: expected a folder"),
        (
            "predict",
            ["--engine=local", "--out=x", "--workers=2"],
            "--workers=2: has no effect with --engine=local",
        ),
        ("predict", ["--engine=local", "--out=x", "--top=3"], "--top=3: has no effect with"),
        ("predict", ["--engine=local", "--out=x", "--window=3"], "--window=3.0: has no effect"),
        ("features", ["--out=x", "--shard_size=3"], "--shard_size=3: has no effect without"),
        ("features", ["--out=x.h5", "--engine=local"], "--out=x.h5: expected a folder"),
        ("probe", ["--data=x", "--ray_address=auto"], "--ray_address=auto: has no effect without"),
        ("label_next", ["--data=x", "--out=x", "--workers=4"], "--workers=4: has no effect"),
    ],
)
def test_flags_without_effect_are_rejected(command, arguments, message, place, tmp_path):
    videos = [] if command == "probe" else [place / "list.txt"]
    with pytest.raises(ValueError, match=message):
        call(command, *videos, f"--model={place}/model.keras", *arguments)


def test_lists_with_and_without_labels(tmp_path):
    def listed(text, root=None, **options):
        (tmp_path / "list.txt").write_text(text)
        videos = listed_videos([str(tmp_path / "list.txt")], root=root, **options)
        return [(video.path, video.labels) for video in videos]

    assert listed("a b.mp4 3\n\nc.mp4 1 2\n", "/v") == [
        ("/v/a b.mp4", (3,)),
        ("/v/c.mp4", (1, 2)),
    ]
    assert listed("a b.mp4\nc.mp4\n") == [("a b.mp4", None), ("c.mp4", None)]
    assert listed("a.mp4 1\ns3://b/c d.mp4 0\n", "/v") == [
        ("/v/a.mp4", (1,)),
        ("s3://b/c d.mp4", (0,)),
    ]
    assert listed("a.mp4\ns3://b/c.mp4\n", "gs://w/")[0] == ("gs://w/a.mp4", None)
    assert listed("a.mp4 1\n/x/c.mp4 0\n", "gs://w/x") == [
        ("gs://w/x/a.mp4", (1,)),
        ("/x/c.mp4", (0,)),
    ]
    with pytest.raises(ValueError, match="list.txt:2"):
        listed("a.mp4 1\nb.mp4\n")
    with pytest.raises(ValueError, match="received a list without videos"):
        listed("\n")
    with pytest.raises(FileNotFoundError, match="2 of 2 annotated videos do not exist"):
        listed("a.mp4\nb.mp4\n", on_error="raise")
    for arguments, listing in ((["a.mp4"], "list.txt"), ([], None)):
        with pytest.raises(ValueError, match="expected one of them"):
            listed_videos(arguments, listing)
    with pytest.raises(ValueError, match="--data_root=x: has no effect"):
        listed_videos([str(tmp_path)], root="x")


def test_remote_folders_and_lists(tiny_videos, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/lists/list.txt", b"a.mp4 3\n")
    memory.pipe("/folder/b/c.mp4", b"1")
    memory.pipe("/folder/a.txt", b"1")
    (video,) = listed_videos(["memory://lists/list.txt"], root="memory://folder")
    assert (video.path, video.labels) == ("memory://folder/a.mp4", (3,))
    (video,) = listed_videos(["memory://folder"])
    assert video.path.endswith("/folder/b/c.mp4") and video.path.startswith("memory://")
    with pytest.raises(FileNotFoundError):
        listed_videos(["memory://nowhere"])
    assert len(listed_videos([f"file://{tiny_videos}/left"])) == 4
    classes = tmp_path / "classes"
    for name in ("a", "b"):
        (classes / name).mkdir(parents=True)
        (classes / name / "1.mp4").touch()
    assert [video.labels for video in listed_videos([], str(classes))] == [(0,), (1,)]


def test_a_missing_package_is_reported_in_one_line(place, tmp_path, monkeypatch, capsys):
    from keras_video.cli.main import main

    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = [str(place / "list.txt"), "--engine=ray", f"--out={tmp_path}", "--model=m.keras"]
    assert main(["predict", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install keras-video[ray]" in error


def wait_for(condition, seconds=900):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def finished(folder):
    """The bytes of the shard files in the manifest, by name."""
    path = Path(folder, "manifest.json")
    names = json.loads(path.read_text())["finished"] if path.exists() else {}
    return {name: (Path(folder) / name).stat().st_mtime_ns for name in names}


def actors_of(process):
    """The ids of the busy Ray workers started by a process."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
            names[int(folder.name)] = (folder / "cmdline").read_bytes().split(b"\0")[0]
        except (OSError, ValueError):
            continue
        parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])

    def below(pid):
        while pid in parents:
            pid = parents[pid]
            if pid == process.pid:
                return True
        return False

    return [pid for pid, name in names.items() if name.startswith(b"ray::Actor") and below(pid)]


def started(*arguments):
    return subprocess.Popen(
        command_line(*arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_workers_and_then_the_command_are_killed(place, tiny_videos, tmp_path):
    pytest.importorskip("ray")
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc")
    arguments = flags(place, tiny_videos, "--engine=local", f"--out={tmp_path}/one")
    assert not call("predict", place / "list.txt", *arguments)
    out = tmp_path / "out"
    arguments = [*arguments[:-2], "--engine=ray", "--workers=2", f"--out={out}"]
    process = started("predict", place / "list.txt", *arguments)
    wait_for(lambda: finished(out) or process.poll() is not None)
    actors = actors_of(process)
    assert actors, process.communicate()
    os.kill(actors[0], signal.SIGKILL)
    before = len(finished(out))
    wait_for(lambda: len(finished(out)) > before)
    process.kill()
    process.communicate()
    kept = finished(out)
    assert 0 < len(kept) < 10
    again = start("predict", place / "list.txt", *arguments, timeout=1800)
    assert again.returncode == 0, again.stderr
    assert f"10 shards, {len(kept)} of them already done" in again.stdout
    assert {name: finished(out)[name] for name in kept} == kept
    expected, rows = inference.read_shards(tmp_path / "one"), inference.read_shards(out)
    assert rows["path"] == expected["path"] and rows["labels"] == expected["labels"]
    np.testing.assert_allclose(rows["scores"], expected["scores"], rtol=1e-5, atol=1e-7)


@pytest.mark.slow(every_change=True)
def test_a_killed_worker_changes_nothing(place, tiny_videos, tmp_path):
    pytest.importorskip("ray")
    pytest.importorskip("pyarrow")
    shared = flags(place, tiny_videos, f"--list={place}/list.txt", "--format=parquet")
    assert not call("features", *shared, "--engine=local", f"--out={tmp_path}/one")
    out = tmp_path / "out"
    process = started("features", *shared, "--engine=ray", f"--out={out}")
    wait_for(lambda: finished(out) or process.poll() is not None)
    actors = actors_of(process)
    assert actors, process.communicate()
    os.kill(actors[-1], signal.SIGKILL)
    output, error = process.communicate(timeout=1800)
    assert process.returncode == 0 and "Traceback" not in error, error
    assert "A worker died in shard-" in error and "it is replaced" in error
    assert "Features of 80 videos are in" in output
    expected, rows = inference.read_shards(tmp_path / "one"), inference.read_shards(out)
    assert rows["path"] == expected["path"]
    np.testing.assert_allclose(rows["features"], expected["features"], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_an_existing_cluster(place, tiny_videos, tmp_path):
    pytest.importorskip("ray")
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env={**environment(), "RAY_USAGE_STATS_ENABLED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = f"--ray_address={cluster.stdout.readline().strip()}"
        arguments = [f"--model={place}/model.keras", f"--out={tmp_path}/out", "--engine=ray"]
        run = start("predict", tiny_videos / "left", *arguments, address, timeout=1800)
        assert run.returncode == 0, run.stderr
        assert inference.read_shards(tmp_path / "out")["scores"].shape == (4, 2)
        assert cluster.poll() is None
    finally:
        cluster.communicate(input="")


CLUSTER = """
import ray, sys
quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
ray.init(address="local", num_cpus=2, object_store_memory=10**8, **quiet)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""
