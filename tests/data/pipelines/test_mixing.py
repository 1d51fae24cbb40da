import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data import read_annotations
from keras_video.data.annotations.parsing import Record
from keras_video.data.pipelines.batch_mixing import CutMix, MixUp
from keras_video.data.pipelines.clips import dataset_from_records
from keras_video.data.pipelines.epoch import EpochCounter
from keras_video.data.pipelines.mixing import (
    ClassBalanced,
    MixSource,
    cross_mixed_dataset,
    joint_dataset,
    repeated,
)
from keras_video.data.sampling import SampleFrames
from keras_video.data.transforms.basic import Normalize, Resize

# 60 examples of class 0, 30 of class 1, 10 of class 2.
UNEQUAL = [Record(f"{n}.mp4", (label,)) for label, c in enumerate((60, 30, 10)) for n in range(c)]
TRANSFORMS = (Resize(size=(16, 16)), Normalize((0.0,) * 3, (255.0,) * 3))


@pytest.mark.parametrize(
    ("power", "fractions"),
    [(0.0, (1 / 3, 1 / 3, 1 / 3)), (1.0, (0.6, 0.3, 0.1)), (0.5, (0.472, 0.334, 0.193))],
)
def test_classes_are_drawn_by_a_power_of_their_frequency(power, fractions):
    balanced = ClassBalanced(power)
    labels = np.array([record.labels[0] for record in UNEQUAL])
    weights = balanced.weights(UNEQUAL)
    np.testing.assert_allclose([weights[labels == c].sum() for c in range(3)], fractions, atol=1e-3)
    drawn = balanced(UNEQUAL, np.random.default_rng(0))
    assert len(drawn) == len(UNEQUAL)
    many = np.concatenate([balanced(UNEQUAL, np.random.default_rng(s)) for s in range(50)])
    observed = np.bincount(labels[many % 100], minlength=3) / many.size
    np.testing.assert_allclose(observed, fractions, atol=0.03)


def test_a_repeated_example_has_a_separate_number():
    drawn = ClassBalanced()(UNEQUAL, np.random.default_rng(1))
    assert len(np.unique(drawn)) == len(drawn)
    rare = np.sort(drawn[drawn % 100 == 95])
    np.testing.assert_array_equal(rare, 95 + 100 * np.arange(len(rare)))
    assert len(rare) > 1


def batches(dataset):
    return [(clips.numpy(), labels.numpy()) for clips, labels in dataset]


def tiny_dataset(tiny_videos, records=None, **options):
    records = records or read_annotations(tiny_videos / "list.txt", tiny_videos)
    options = {"batch_size": 2, "training": True, **options}
    sampling = SampleFrames(clip_len=1, num_clips=2)
    return dataset_from_records(records, sampling=sampling, transforms=TRANSFORMS, **options)


def test_balanced_passes_repeat_by_epoch_with_new_draws(tiny_videos):
    records = read_annotations(tiny_videos / "list.txt", tiny_videos)
    # One example of class 1 among seven of class 0.
    records = [dataclasses.replace(r, labels=(int(n == 3),)) for n, r in enumerate(records)]

    def dataset(epoch):
        return tiny_dataset(
            tiny_videos, records, shuffle=ClassBalanced(), epoch=EpochCounter(epoch)
        )

    unbroken = dataset(0)
    first, second = batches(unbroken), batches(unbroken)
    assert len(first) == len(unbroken) == 4
    resumed = batches(dataset(1))
    for (clips, labels), (again, labels_again) in zip(second, resumed, strict=True):
        np.testing.assert_array_equal(clips, again)
        np.testing.assert_array_equal(labels, labels_again)
    labels = np.concatenate([labels for _, labels in first + second])
    assert 4 <= labels.sum() <= 12
    clips = np.concatenate([clips for clips, _ in first + second])[labels == 1]
    # Random draws for the same video differ.
    assert len({clip.tobytes() for clip in clips}) > 1


def test_repeated_records_have_new_draws(tiny_videos):
    records = read_annotations(tiny_videos / "list.txt", tiny_videos)[:1]
    (clips, _), *_ = batches(tiny_dataset(tiny_videos, repeated(records, 6), batch_size=6))
    assert len(clips) == 6
    assert len({clip.tobytes() for clip in clips}) > 1
    with pytest.raises(ValueError, match="times=0"):
        repeated(records, 0)


def numbered(part, length, size=1):
    """Batches whose clips contain the part's number and whose labels are example numbers."""
    labels = tf.data.Dataset.range(length * size, output_type=tf.int32)
    return labels.map(lambda label: (tf.fill([2, 4, 4, 3], float(part)), label)).batch(size)


def turns(dataset):
    return [int(clips[0, 0, 0, 0, 0]) for clips, _ in dataset]


@pytest.mark.parametrize(
    ("ratios", "length", "expected"),
    [
        ((1, 1), 3, [0, 1, 0, 1, 0, 1]),
        ((2, 1, 1, 1), 4, [0, 1, 2, 3, 0, 0, 1, 2, 3, 0]),
        ((2, 1, 2), 3, [0, 1, 2, 2, 0, 0, 1, 2, 2]),
        ((3,), 2, [0, 0]),
    ],
)
def test_parts_take_turns_as_in_omnisource(ratios, length, expected):
    parts = [MixSource(numbered(p, length if p == 0 else 2), r) for p, r in enumerate(ratios)]
    joint = joint_dataset(parts)
    assert turns(joint) == expected
    assert len(joint) == len(expected)


def test_parts_restart_and_batches_may_differ_in_size():
    joint = joint_dataset([MixSource(numbered(0, 5, 2)), MixSource(numbered(1, 2, 3))])
    sizes = [len(labels) for _, labels in joint]
    assert sizes == [2, 3] * 5
    labels = [labels.numpy().tolist() for _, labels in joint][1::2]
    assert labels == [[0, 1, 2], [3, 4, 5], [0, 1, 2], [3, 4, 5], [0, 1, 2]]


def test_resumed_joint_passes_equal_unbroken_ones(tiny_videos):
    def joint(epoch):
        first, second = EpochCounter(epoch), EpochCounter()
        main = tiny_dataset(tiny_videos, batch_size=2, epoch=first)
        other = tiny_dataset(tiny_videos, batch_size=4, epoch=second, seed=5)
        return joint_dataset([MixSource(main, 1, first), MixSource(other, 1, second)])

    unbroken = joint(0)
    batches(unbroken)
    second = batches(unbroken)
    assert len(second) == 8
    for (clips, labels), (again, labels_again) in zip(second, batches(joint(1)), strict=True):
        np.testing.assert_array_equal(clips, again)
        np.testing.assert_array_equal(labels, labels_again)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_cross_dataset_mixing(kind):
    dataset = cross_mixed_dataset(numbered(0, 5, 2), numbered(10, 2, 3), kind(10, alpha=1.0))
    assert len(dataset) == 5
    positions = [(0, 1), (3, 4), (0, 1), (3, 4), (0, 1)]
    for number, (clips, labels) in enumerate(dataset):
        weight = clips.numpy().mean() / 10
        expected = np.zeros((2, 10))
        for row in range(2):
            expected[row, 2 * number + row] += 1 - weight
            expected[row, positions[number][row]] += weight
        np.testing.assert_allclose(labels, expected, atol=1e-5)
    small = cross_mixed_dataset(numbered(0, 5, 3), numbered(1, 2, 2), kind(15))
    with pytest.raises(tf.errors.InvalidArgumentError, match="fewer examples"):
        list(small)


def test_arguments_out_of_range_are_rejected():
    with pytest.raises(ValueError, match="power=-1"):
        ClassBalanced(-1)
    with pytest.raises(ValueError, match=r"list.txt:4: received labels \(1, 2\), expected one"):
        ClassBalanced()([Record("a", (1, 2), "list.txt", 4)], np.random.default_rng(0))
    with pytest.raises(ValueError, match="ratio=0"):
        MixSource(numbered(0, 1), 0)
    with pytest.raises(ValueError, match="received parts="):
        joint_dataset([])
