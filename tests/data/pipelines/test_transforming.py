"""Errors of transforms: they name the example and respect `on_error`."""

import dataclasses
import pickle

import numpy as np
import pytest
import tensorflow as tf

from keras_video import data
from keras_video.data import CenterCrop, Normalize, Record, SampleFrames
from keras_video.data.pipelines.transforming import TransformError

NORMALIZE = Normalize((0.0,) * 3, (1.0,) * 3)


@dataclasses.dataclass(frozen=True)
class Sized:
    """Frames of the size in the record's path, filled with its label."""

    dtype = "uint8"

    def open(self, record, rng=None):
        return _Opened(record)

    def shape(self, clips, clip_len):
        return (clips and clips * clip_len, None, None, 3)


class _Opened:
    total_frames = 4

    def __init__(self, record):
        self.record = record

    def read(self, indices):
        if self.record.path == "broken":
            raise KeyError("no such frame")
        if self.record.path == "float":
            return np.zeros((np.size(indices), 8, 8, 3), np.float32)
        height, width = map(int, self.record.path.split("x"))
        return np.full((np.size(indices), height, width, 3), self.record.labels[0], np.uint8)


def odd(clip, seed):
    """A transform that fails in Python where pixels are 5, and in the graph where they are 6."""

    def check(clip):
        if (clip == 5).any():
            raise RuntimeError("five")
        return clip

    shape = clip.shape
    clip = tf.ensure_shape(tf.numpy_function(check, [clip], tf.uint8), shape)
    six = tf.reduce_any(clip == 6)
    clip = tf.reshape(clip, tf.where(six, [1, 1, 1, 3], tf.shape(clip)))
    return tf.ensure_shape(clip, [None, None, None, 3])


def dataset(paths, **options):
    records = [Record(path, (number,), "list.txt", number + 1) for number, path in enumerate(paths)]
    arguments = {
        "sampling": SampleFrames(1),
        "transforms": (CenterCrop(8), NORMALIZE),
        "source": Sized(),
        "batch_size": 2,
    }
    return data.dataset_from_records(records, **{**arguments, **options})


def labels(batches):
    return np.concatenate([labels for _, labels in batches.as_numpy_iterator()]).tolist()


def test_a_frame_smaller_than_the_crop_is_reported():
    match = r"cannot transform 4x9: .*CenterCrop: .*\[4x9\] \(list.txt:2\)"
    with pytest.raises(tf.errors.InvalidArgumentError, match=match) as caught:
        labels(dataset(["8x8", "4x9", "9x9"]))
    assert "TransformError" in str(caught.value)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("workers", [1, 8])
def test_videos_with_errors_are_skipped_and_counted(workers, training):
    report = data.DecodeReport()
    paths = ["8x8", "4x9", "9x9", "broken", "10x8", "7x7", "float", "8x30"] * 6
    batches = dataset(
        paths, on_error="skip", report=report, num_parallel_calls=workers, training=training
    )
    assert len(batches) == 24
    for number in range(1, 4):
        assert sorted(labels(batches)) == [i for i in range(48) if i % 8 not in (1, 3, 5, 6)]
        assert report.pass_counts == (24,) * number
    reasons = {failure.path: failure.reason for failure in report.failures}
    assert set(reasons) == {"4x9", "broken", "7x7", "float"}
    assert reasons["broken"].startswith(
        "cannot decode broken: KeyError: 'no such frame' (list.txt:"
    )
    assert "read float32 of shape (1, 8, 8, 3), expected uint8" in reasons["float"]


def test_an_abandoned_pass_is_not_counted_with_the_next():
    report = data.DecodeReport()
    batches = dataset(["8x8", "4x4"] * 40, on_error="skip", report=report)
    next(iter(batches))
    assert len(labels(batches)) == 40
    assert report.pass_counts == (40,)


def test_videos_with_errors_are_replaced():
    paths = ["8x8", "4x9", "9x9", "broken", "10x8"]
    expected = labels(dataset(paths, on_error="replace", num_parallel_calls=1))
    assert len(expected) == 5 and set(expected) <= {0, 2, 4}
    assert expected[::2] == [0, 2, 4]
    assert labels(dataset(paths, on_error="replace", num_parallel_calls=7)) == expected
    with pytest.raises(tf.errors.InvalidArgumentError, match="50 videos drawn as replacements"):
        labels(dataset(["4x4"], on_error="replace"))


def test_third_party_transforms():
    options = {"transforms": (odd, CenterCrop(8), NORMALIZE)}
    paths = ["8x8"] * 8
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"RuntimeError: five \(list.txt:6\)"):
        labels(dataset(paths, **options))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"reshape.*\(list.txt:1\)"):
        records = [Record("8x8", (6,), "list.txt", 1)]
        list(
            data.dataset_from_records(records, sampling=SampleFrames(1), source=Sized(), **options)
        )
    assert labels(dataset(paths, on_error="skip", **options)) == [0, 1, 2, 3, 4, 7]


def test_a_pass_without_usable_videos_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="of 2 videos 2 could not be used"):
        labels(dataset(["4x4", "5x5"], on_error="skip"))
    batches = dataset(["4x4", "8x8"], on_error="skip", drop_remainder=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected at least 2 others"):
        labels(batches)
    assert list(dataset(["4x4", "5x5"], on_error="skip", batch_size=None)) == []


def test_a_list_smaller_than_a_batch():
    match = r"list.txt: received 3 videos and batch_size=16"
    with pytest.raises(ValueError, match=match):
        dataset(["8x8"] * 3, batch_size=16, drop_remainder=True)
    assert labels(dataset(["8x8"] * 3, batch_size=16)) == [0, 1, 2]


def test_clips_of_unequal_size_in_a_batch_are_reported():
    match = (
        r"cannot transform 6x8: the transforms return shape 1x6x8x3 for it and 1x4x8x3 for 4x8, the"
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        labels(dataset(["8x8", "8x8", "4x8", "6x8"], transforms=(NORMALIZE,)))
    assert labels(dataset(["8x8", "8x8", "4x8", "4x8"], transforms=(NORMALIZE,))) == [0, 1, 2, 3]
    assert labels(dataset(["8x8", "4x8"], transforms=(NORMALIZE,), batch_size=1)) == [0, 1]


def test_transform_errors_are_identified():
    error = TransformError("a.mp4", "too small")
    assert str(error) == "cannot transform a.mp4: too small" and error.reason == "too small"
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is TransformError and str(copied) == str(error)
