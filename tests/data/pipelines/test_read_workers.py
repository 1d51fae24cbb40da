"""Reading in other processes: the same batches, the same errors, and what becomes of a lost one."""

import dataclasses
import gc
import os
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video import data
from keras_video.data.pipelines import read_workers
from keras_video.data.pipelines.clip_reader import ClipReader
from keras_video.data.pipelines.read_workers import WorkerReader, worker_count

SAMPLING = data.SampleFrames(clip_len=2, num_clips=2)
TRANSFORMS = (
    data.Resize(short_side=40),
    data.RandomResizedCrop((24, 24)),
    data.Flip(),
    data.Normalize((128, 128, 128), (64, 64, 64)),
)


def records(folder):
    return data.read_annotations(folder / "list.txt", folder)


def dataset(folder, workers, **options):
    options = {"batch_size": 3, "training": True, "seed": 5, **options}
    return data.dataset_from_records(
        records(folder), sampling=SAMPLING, transforms=TRANSFORMS, workers=workers, **options
    )


def passes(one, count=2):
    return [[(clips.numpy(), labels.numpy()) for clips, labels in one] for _ in range(count)]


def reader(folder, **changes):
    fields = {
        "records": tuple(records(folder)),
        "sampling": SAMPLING,
        "training": True,
        "seed": 3,
        "classes": None,
        "on_error": "raise",
        "report": data.DecodeReport(),
    }
    return ClipReader(**{**fields, **changes})


@dataclasses.dataclass(frozen=True)
class Slow(data.Videos):
    """Videos that take their time, once their process has said which one it is."""

    note: str = ""

    def open(self, record, rng=None):
        if record.path.endswith("video3.mp4"):
            Path(self.note).write_text(str(os.getpid()))
            time.sleep(60)
        return super().open(record, rng)


@pytest.mark.parametrize(
    ("given", "cores", "examples", "expected"),
    [(0, 64, 9999, 0), (3, 2, 1, 3), (None, 2, 9999, 0), (None, 64, 8, 0), (None, 64, 9999, 32)]
    + [(None, 16, 9999, 16)],
)
def test_the_number_is_chosen_from_the_machine(given, cores, examples, expected):
    assert worker_count(given, cores, examples) == expected


@pytest.mark.parametrize("workers", [-1, 1.5, True, "two"])
def test_another_number_is_refused(workers, tiny_videos):
    with pytest.raises(
        ValueError, match=re.escape(f"received workers={workers!r}, expected None or")
    ):
        dataset(tiny_videos, workers)


def test_batches_are_the_same_bit_for_bit_in_two_epochs(tiny_videos):
    expected = passes(dataset(tiny_videos, 0))
    found = passes(dataset(tiny_videos, 2))
    for one, other in zip(expected, found, strict=True):
        assert len(one) == len(other) == 3
        for (clips, labels), (same, as_well) in zip(one, other, strict=True):
            np.testing.assert_array_equal(same, clips)
            np.testing.assert_array_equal(as_well, labels)
    assert np.abs(found[0][0][0] - found[1][0][0]).max() > 0


@pytest.mark.slow
def test_examples_larger_than_those_before(tiny_videos):
    larger = WorkerReader(reader(tiny_videos, sampling=data.UntrimmedSampleFrames()), 1)
    for index in (0, 7, 1):  # 12, 19 and 13 frames
        expected = reader(tiny_videos, sampling=data.UntrimmedSampleFrames()).read(0, index)
        np.testing.assert_array_equal(larger.read(0, index).frames, expected.frames)


@pytest.mark.slow
def test_what_does_not_decode_is_told_as_in_one_process(tiny_videos):
    listed = [*records(tiny_videos), data.Record(str(tiny_videos / "bad.mp4"), (0,))]
    remote = WorkerReader(reader(tiny_videos, records=tuple(listed)), 1)
    plain = reader(tiny_videos, records=tuple(listed))
    with pytest.raises(data.DecodeError) as expected:
        plain.read(0, 8)
    with pytest.raises(data.DecodeError) as found:
        remote.read(0, 8)
    assert str(found.value) == str(expected.value)
    assert found.value.path == str(tiny_videos / "bad.mp4")
    assert remote.report.failures == plain.report.failures
    assert remote.read(0, 1).decoded

    report = data.DecodeReport()
    kept = data.dataset_from_records(
        listed,
        sampling=SAMPLING,
        transforms=TRANSFORMS[:1],
        workers=1,
        on_error="skip",
        report=report,
    )
    assert sum(len(labels) for _, labels in kept) == 8
    assert report.count == 1


@pytest.mark.slow
def test_a_killed_process_is_an_error_that_names_the_clip(tiny_videos, tmp_path):
    note = tmp_path / "pid"
    source = Slow(note=str(note))
    lost = data.dataset_from_records(
        records(tiny_videos),
        sampling=SAMPLING,
        transforms=TRANSFORMS[:1],
        source=source,
        workers=2,
        batch_size=1,
    )

    def kill():
        while not note.exists() or not note.read_text():
            time.sleep(0.05)
        os.kill(int(note.read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    start = time.monotonic()
    with pytest.raises(tf.errors.OpError) as error:
        for _ in lost:
            pass
    thread.join()
    assert time.monotonic() - start < 50
    assert "video3.mp4" in str(error.value)
    assert "the process that read it was killed by signal 9" in str(error.value)
    assert "list.txt:4" in str(error.value)


@pytest.mark.slow
def test_another_process_takes_the_place_of_one_that_ended(tiny_videos):
    remote = WorkerReader(reader(tiny_videos), 1)
    remote.read(0, 0)
    process = remote._free.queue[0]._process
    process.kill()
    process.wait()
    with pytest.raises(data.DecodeError, match="video1.mp4.*killed by signal 9"):
        remote.read(0, 1)
    expected = reader(tiny_videos).read(0, 1)
    np.testing.assert_array_equal(remote.read(0, 1).frames, expected.frames)


@pytest.mark.slow
def test_processes_end_with_the_dataset(tiny_videos):
    remote = WorkerReader(reader(tiny_videos), 1)
    remote.read(0, 0)
    process = remote._free.queue[0]._process
    assert process.poll() is None
    del remote
    gc.collect()
    assert process.wait(timeout=20) is not None


def test_what_cannot_be_sent_is_refused(tiny_videos, monkeypatch):
    with pytest.raises(ValueError, match="workers=2: what is read cannot be sent"):
        WorkerReader(reader(tiny_videos, sampling=lambda *_, **__: None), 2)
    monkeypatch.setattr(Slow, "__module__", "__main__")
    monkeypatch.setattr("__main__.Slow", Slow, raising=False)
    with pytest.raises(ValueError, match="workers=2: .* defined in the program"):
        WorkerReader(reader(tiny_videos, source=Slow()), 2)
    # A path that says so is none.
    named = (data.Record("/videos/__main__/a.mp4", (0,)),)
    WorkerReader(reader(tiny_videos, records=named), 2)


def test_no_process_starts_before_it_is_needed(tiny_videos, monkeypatch):
    monkeypatch.setattr(read_workers._Process, "_start", lambda self: 1 / 0)
    dataset(tiny_videos, 4)
