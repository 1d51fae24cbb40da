"""Packing on a local Ray cluster of two workers."""

import json
import os
import signal
import subprocess
import time

import pytest

from keras_video import data
from keras_video.cli.main import main
from keras_video.sharded import RayEngine
from tests.cli.running import command_line, environment

ray = pytest.importorskip("ray")
HIDDEN = (".shards.lock",)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    ray.init(address="local", num_cpus=2, object_store_memory=10**8, **quiet)
    yield
    ray.shutdown()


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in HIDDEN}


@pytest.mark.parametrize("container", ["tfrecord", "tar"])
def test_the_same_bytes_as_in_one_process(container, tiny_videos, tmp_path):
    records = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    options = {"container": container, "shards": 4, "show_progress": False}
    data.pack_records(records, tmp_path / "here", **options)
    summary = data.pack_records(records, tmp_path / "ray", engine=RayEngine(2), **options)
    assert (summary.created, summary.count) == (4, 8)
    assert content(tmp_path / "here") == content(tmp_path / "ray")
    assert data.pack_records(records, tmp_path / "ray", engine=RayEngine(2), **options).reused == 4
    bad = [*records, data.Record("absent.mp4", (0,), "list.txt", 9)]
    with pytest.raises(data.DecodeError, match=r"cannot read absent\.mp4: .*\(list\.txt:9\)"):
        # A source whose files are not checked for existence first.
        data.pack_records(bad, tmp_path / "bad", data.Waveforms(), engine=RayEngine(2), **options)


@pytest.mark.slow
def test_a_run_killed_on_ray_resumes_locally(tiny_videos, tmp_path):
    count = 600
    (tmp_path / "train.txt").write_text("left/video0.mp4 1\n" * count)
    flags = [f"--list={tmp_path}/train.txt", f"--data_root={tiny_videos}", "--container=tar"]
    flags += [f"--shards={count}", f"--out={tmp_path}/out"]
    command = command_line("pack", *flags, "--engine=ray", "--workers=2")
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    while len(list((tmp_path / "out").glob("train-*.tar"))) < 20:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = json.loads((tmp_path / "out/manifest.json").read_text())["finished"]
    assert 0 < len(finished) < count
    before = {name: (tmp_path / "out" / name).stat().st_ino for name in finished}
    assert main(["pack", *flags]) == 0
    assert all((tmp_path / "out" / name).stat().st_ino == inode for name, inode in before.items())
    assert main(["pack", *flags[:-1], f"--out={tmp_path}/unbroken"]) == 0
    assert content(tmp_path / "out") == content(tmp_path / "unbroken")
