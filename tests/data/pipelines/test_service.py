"""Loading through a dispatcher and two workers, each a process of its own, on this machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video import data
from keras_video.data import Epoch, Flip, MultiScaleCrop, Resize, SampleFrames
from keras_video.data.annotations.records import Record
from keras_video.data.pipelines import liveness
from tests.data.pipelines import killed_service_run

REPOSITORY = Path(__file__).resolve().parents[3]
OPTIONS = {
    "sampling": SampleFrames(1, num_clips=3),
    "steps": (Resize(short_side=40), MultiScaleCrop(32, (1, 0.8)), Flip(0.5)),
    "training": True,
    "seed": 4,
    "batch_size": 3,
}


@pytest.fixture(scope="module")
def service():
    """Address of a dispatcher with two workers."""
    dispatcher = data.serve_dispatcher()
    command = [sys.executable, "recipes/serve_data.py", "--dispatcher"]
    command.append(dispatcher.target.removeprefix("grpc://"))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""}
    workers = [
        subprocess.Popen(
            command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout.readline().startswith("worker of")
    yield dispatcher.target
    for worker in workers:
        worker.kill()
        worker.wait()


@pytest.fixture(scope="module")
def records(tiny_videos):
    found = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    return [Record(one.path, (number,)) for number, one in enumerate(found)]


def by_label(batches):
    return {int(one): clip for clips, labels in batches for clip, one in zip(clips, labels)}  # noqa: B905


@pytest.mark.slow
def test_every_example_once_in_each_epoch(service, records):
    dataset = data.served_dataset(records, service=service, epochs=3, start_epoch=1, **OPTIONS)
    assert len(dataset) == 6
    local = data.dataset_from_records(records, epoch=Epoch(1), **OPTIONS)
    assert dataset.element_spec == local.element_spec
    batches = list(dataset.as_numpy_iterator())
    labels = np.concatenate([labels for _, labels in batches])
    assert sorted(labels) == sorted(list(range(8)) * 2)
    # The draws are those of a loader in this process: every clip is one of its.
    expected = [by_label(local.as_numpy_iterator()) for _ in range(2)]
    for clips, numbers in batches:
        for clip, number in zip(clips, numbers, strict=True):
            assert any(np.array_equal(clip, epoch[number]) for epoch in expected)


@pytest.mark.slow
def test_bad_videos(service, records, tiny_videos):
    bad = [*records[:3], Record(str(tiny_videos / "bad.mp4"), (9,))]
    options = {**OPTIONS, "training": False}
    dataset = data.served_dataset(bad, service=service, on_error="skip", **options)
    assert sorted(by_label(dataset.as_numpy_iterator())) == [0, 1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cannot decode .*bad\.mp4"):
        list(data.served_dataset(bad, service=service, **options))


def test_options_are_checked(records):
    with pytest.raises(ValueError, match="received start_epoch=2, epochs=2"):
        data.served_dataset(records, service="x", epochs=2, start_epoch=2, **OPTIONS)
    with pytest.raises(ValueError, match="on_error='replace'"):
        data.served_dataset(records, service="x", on_error="replace", **OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["worker", "dispatcher"])
def test_a_killed_process_is_an_error_within_a_minute(killed, tmp_path):
    done = subprocess.run(
        [sys.executable, killed_service_run.__file__, killed],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stderr[-2000:]
    assert re.search(rf"the {killed} of the data service at \S+ has not answered", done.stderr)
    assert float(done.stdout.split()[-1]) < 60


def test_addresses_in_an_answer_of_the_dispatcher():
    answer = b"\n\x11\n\x0flocalhost:43863\n\x07\n\x03a:1\x10\x05"
    assert liveness._addresses(answer) == ["localhost:43863", "a:1"]
    assert liveness._addresses(b"") == []


def test_examples_that_did_not_come_are_told(monkeypatch):
    monkeypatch.setattr(liveness, "_answer", lambda address, method: b"")
    examples = tf.data.Dataset.range(5).map(lambda number: (number, True))
    assert len(list(liveness.watched(examples, "grpc://a:1", 5))) == 5
    with pytest.raises(tf.errors.UnknownError, match="received 5 of 7 examples"):
        list(liveness.watched(examples, "grpc://a:1", 7))


def test_a_service_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(liveness, "_answer", lambda address, method: None)
    monkeypatch.setattr(liveness, "_ASK_SECONDS", 0)
    monkeypatch.setattr(liveness, "_SILENT_SECONDS", 0)
    never = tf.data.Dataset.counter().filter(lambda number: number < 0)
    with pytest.raises(tf.errors.UnknownError, match="the dispatcher .* at a:1 has not answered"):
        list(liveness.watched(never.map(lambda number: (number, True)), "grpc://a:1", 5))
