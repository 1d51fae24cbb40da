"""Loading in worker processes: the same batches and errors, and recovery from a lost process."""

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
from keras_video.data.pipelines import load_workers
from keras_video.data.pipelines.clip_reader import ClipReader
from keras_video.data.pipelines.load_workers import LoadWorkers, worker_count
from keras_video.data.pipelines.processing import Processing
from keras_video.data.pipelines.transforming import ExampleTransform
from tests.data.pipelines.test_transforming import Sized, odd

SAMPLING = data.SampleFrames(clip_len=2, num_clips=2)
TRANSFORMS = (
    data.Resize(short_side=40),
    data.RandomResizedCrop((24, 24)),
    data.Flip(label_map={0: 1, 1: 0}),
    data.Normalize((128, 128, 128), (64, 64, 64)),
)


def records(folder):
    return data.read_annotations(folder / "list.txt", folder)


def dataset(folder, workers, **options):
    options = {"batch_size": 3, "training": True, "seed": 5, "transforms": TRANSFORMS, **options}
    return data.dataset_from_records(records(folder), sampling=SAMPLING, workers=workers, **options)


def passes(batches, count=2):
    return [[(clips.numpy(), labels.numpy()) for clips, labels in batches] for _ in range(count)]


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


def workers_of(folder, count=1, transforms=TRANSFORMS[:1], **changes):
    clip_reader = reader(folder, **changes)
    processing = Processing.of_transforms(clip_reader.sampling, transforms)
    return LoadWorkers(clip_reader, processing, clip_reader.training, 1, count)


def loaded_here(folder, epoch, index, transforms=TRANSFORMS[:1], **changes):
    clip_reader = reader(folder, **changes)
    processing = Processing.of_transforms(clip_reader.sampling, transforms)
    return ExampleTransform(clip_reader, processing.transform(clip_reader.training)).load(
        epoch, index
    )


def assert_same(arrays, expected):
    for array, expected_array in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)


@dataclasses.dataclass(frozen=True)
class Slow(data.Videos):
    """Videos that are slow to read, after their process has reported its id."""

    note: str = ""

    def open(self, record, rng=None):
        if record.path.endswith("video3.mp4"):
            Path(self.note).write_text(str(os.getpid()))
            time.sleep(60)
        return super().open(record, rng)


@pytest.mark.parametrize(
    ("requested", "cores", "examples", "expected"),
    [(0, 64, 9999, 0), (3, 2, 1, 3), (None, 2, 9999, 0), (None, 64, 8, 0), (None, 64, 9999, 64)]
    + [(None, 16, 9999, 16), (None, 128, 9999, 64)],
)
def test_the_number_of_workers_depends_on_the_machine(requested, cores, examples, expected):
    assert worker_count(requested, cores, examples) == expected


@pytest.mark.parametrize("workers", [-1, 1.5, True, "two"])
def test_invalid_numbers_are_rejected(workers, tiny_videos):
    with pytest.raises(
        ValueError, match=re.escape(f"received workers={workers!r}, expected None or")
    ):
        dataset(tiny_videos, workers)


def test_batches_are_the_same_bit_for_bit_in_two_epochs(tiny_videos):
    expected = passes(dataset(tiny_videos, 0))
    results = passes(dataset(tiny_videos, 2))
    for expected_batches, batches in zip(expected, results, strict=True):
        assert len(expected_batches) == len(batches) == 3
        for (clips, labels), (other_clips, other_labels) in zip(
            expected_batches, batches, strict=True
        ):
            np.testing.assert_array_equal(other_clips, clips)
            np.testing.assert_array_equal(other_labels, labels)
    assert np.abs(results[0][0][0] - results[1][0][0]).max() > 0


@pytest.mark.slow
def test_examples_larger_than_previous_ones(tiny_videos):
    sampling = data.UntrimmedSampleFrames(frame_interval=1)
    workers = workers_of(tiny_videos, sampling=sampling)
    sizes = []
    for index in (0, 7, 1):
        expected = loaded_here(tiny_videos, 0, index, sampling=sampling)
        assert_same(workers.load(0, index), expected)
        sizes.append(len(expected[0]))
    assert sizes == [12, 19, 13]


@pytest.mark.slow
def test_the_transforms_run_in_the_processes_without_output(tiny_videos, monkeypatch, capfd):
    batches = dataset(tiny_videos, 1)
    monkeypatch.setattr(ExampleTransform, "__call__", lambda *_: 1 / 0)
    assert sum(len(labels) for _, labels in batches) == 8
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_repeats_and_labels_of_several_classes_are_the_same(tiny_videos):
    options = {"repeats": 2, "classes": 3, "multi_label": True}
    expected, batches = (passes(dataset(tiny_videos, count, **options), 1)[0] for count in (0, 2))
    assert batches[0][0].shape == (6, 4, 24, 24, 3) and batches[0][1].shape == (6, 3)
    for batch, expected_batch in zip(batches, expected, strict=True):
        assert_same(batch, expected_batch)


@pytest.mark.slow
def test_video_and_audio_are_the_same(tmp_path):
    shapes = data.make_audio_shapes(
        tmp_path / "shapes", "both", videos_per_class=2, val_videos_per_class=1, size=32
    )
    expected, batches = (
        list(
            data.audiovisual_dataset(
                shapes.train_list,
                shapes.root,
                sampling=data.SampleFrames(6, frame_interval=2, num_clips=1),
                video_transforms=TRANSFORMS[:2],
                audio_transforms=(data.LogMelFeatures(mels=20, length=16),),
                source=data.AudioVisual(waveforms=data.Waveforms(length=4000)),
                training=True,
                batch_size=4,
                workers=count,
            )
        )
        for count in (0, 1)
    )
    assert len(expected) > 1
    for batch, expected_batch in zip(batches, expected, strict=True):
        assert set(batch[0]) == {"video", "audio"}
        assert_same(tf.nest.flatten(batch), tf.nest.flatten(expected_batch))


def sized(paths, workers, **options):
    records = [
        data.Record(path, (number,), "list.txt", number + 1) for number, path in enumerate(paths)
    ]
    options = {"transforms": (data.CenterCrop(8),), "batch_size": 2, **options}
    return data.dataset_from_records(
        records, sampling=data.SampleFrames(1), source=Sized(), workers=workers, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_transform_errors_are_handled_as_in_one_process(on_error):
    paths = ["8x8", "4x9", "9x9", "broken", "10x8", "7x7", "float", "8x30"]
    reports = [data.DecodeReport(), data.DecodeReport()]
    expected, results = (
        [
            np.concatenate([labels for _, labels in batches]).tolist()
            for batches in [sized(paths, workers, on_error=on_error, report=report)] * 2
        ]
        for workers, report in zip((0, 2), reports, strict=True)
    )
    assert results == expected
    assert results[0] == [0, 2, 4, 7] if on_error == "skip" else len(results[0]) == 8
    first, second = reports
    assert second.pass_counts == first.pass_counts
    assert set(second.failures) == set(first.failures)


@pytest.mark.slow
def test_errors_of_transforms_name_the_example():
    too_small = r"TransformError: cannot transform 4x9: .*CenterCrop: .*\[4x9\] \(list.txt:2\)"
    with pytest.raises(tf.errors.InvalidArgumentError, match=too_small):
        list(sized(["8x8", "4x9", "9x9"], 1))
    transforms = (odd, data.CenterCrop(8))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"RuntimeError: five \(list.txt:6\)"):
        list(sized(["8x8"] * 8, 1, transforms=transforms))


@pytest.mark.slow
def test_decode_errors_are_reported_as_in_one_process(tiny_videos):
    listed = [*records(tiny_videos), data.Record(str(tiny_videos / "bad.mp4"), (0,))]
    plain = reader(tiny_videos, records=tuple(listed))
    remote = workers_of(tiny_videos, records=tuple(listed))
    with pytest.raises(data.DecodeError) as expected:
        plain.read(0, 8)
    with pytest.raises(data.DecodeError) as error:
        remote.load(0, 8)
    assert str(error.value) == str(expected.value)
    assert error.value.path == str(tiny_videos / "bad.mp4")
    assert remote._reader.report.failures == plain.report.failures
    assert remote.load(0, 1) is not None

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


@pytest.mark.slow(every_change=True)
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
    assert "the process that loaded it was killed by signal 9" in str(error.value)
    assert "list.txt:4" in str(error.value)


@pytest.mark.slow
def test_a_process_that_ended_is_replaced(tiny_videos):
    workers = workers_of(tiny_videos)
    workers.load(0, 0)
    process = workers._free.queue[0]._process
    process.kill()
    process.wait()
    with pytest.raises(data.DecodeError, match="video1.mp4.*killed by signal 9"):
        workers.load(0, 1)
    assert_same(workers.load(0, 1), loaded_here(tiny_videos, 0, 1))


@pytest.mark.slow
def test_processes_end_with_the_dataset(tiny_videos):
    workers = workers_of(tiny_videos)
    workers.load(0, 0)
    process = workers._free.queue[0]._process
    assert process.poll() is None
    del workers
    gc.collect()
    assert process.wait(timeout=20) is not None


def test_objects_that_cannot_be_pickled_are_rejected(tiny_videos, monkeypatch):
    cannot = "workers=2: the source, the sampler or a transform cannot be sent"
    with pytest.raises(ValueError, match=cannot):
        workers_of(tiny_videos, 2, sampling=lambda *_, **__: None)
    with pytest.raises(ValueError, match=cannot):
        workers_of(tiny_videos, 2, transforms=(lambda clip, seed: clip,))
    monkeypatch.setattr(Slow, "__module__", "__main__")
    monkeypatch.setattr("__main__.Slow", Slow, raising=False)
    with pytest.raises(ValueError, match="workers=2: .* defined in the main program"):
        workers_of(tiny_videos, 2, source=Slow())
    # A path with this name does not count.
    workers_of(tiny_videos, 2, records=(data.Record("/videos/__main__/a.mp4", (0,)),))


def test_automatic_workers_require_that_everything_can_be_pickled(tiny_videos, monkeypatch, caplog):
    monkeypatch.setattr(load_workers, "worker_count", lambda *_: 2)
    batches = dataset(tiny_videos, None, transforms=(*TRANSFORMS[:2], lambda clip, seed: clip))
    assert sum(len(labels) for _, labels in batches) == 8
    assert "loaded in threads" in caplog.text and "a transform cannot be sent" in caplog.text


def test_no_process_starts_before_it_is_needed(tiny_videos, monkeypatch):
    monkeypatch.setattr(load_workers._Process, "_start", lambda self: 1 / 0)
    batches = dataset(tiny_videos, 4)
    with pytest.raises(tf.errors.OpError, match="ZeroDivisionError"):
        next(iter(batches))
