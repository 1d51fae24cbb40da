import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data import (
    CenterCrop,
    Normalize,
    Record,
    SampleFrames,
    Videos,
    video_dataset_from_directory,
)
from keras_video.data.pipelines.directory import part_of

TRANSFORMS = (CenterCrop(32), Normalize((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)))


def dataset(folder, **options):
    arguments = {
        "sampling": SampleFrames(1, num_clips=2),
        "transforms": TRANSFORMS,
        "batch_size": 8,
    }
    return video_dataset_from_directory(folder, **{**arguments, **options})


def test_folders_are_classes(tiny_videos):
    batches = dataset(tiny_videos)
    assert batches.class_names == ["left", "right"]
    ((clips, labels),) = batches.as_numpy_iterator()
    assert clips.shape == (8, 2, 32, 32, 3)
    assert labels.tolist() == [0] * 4 + [1] * 4
    assert [path.endswith(".mp4") for path in batches.file_paths] == [True] * 8


def test_the_order_of_classes_can_be_chosen(tiny_videos):
    batches = dataset(tiny_videos, class_names=["right", "left"])
    assert batches.class_names == ["right", "left"]
    assert ["right" in path for path in batches.file_paths] == [True] * 4 + [False] * 4
    with pytest.raises(ValueError, match=r"\['up'\], which have no folders in"):
        dataset(tiny_videos, class_names=["up", "left"])


def test_validation_split_partitions_the_videos(tiny_videos):
    split = {"validation_split": 0.25}
    training = dataset(tiny_videos, subset="training", training=True, seed=3, **split)
    validation = dataset(tiny_videos, subset="validation", **split)
    assert len(training.file_paths) == 6 and len(validation.file_paths) == 2
    assert not set(training.file_paths) & set(validation.file_paths)
    assert training.class_names == validation.class_names == ["left", "right"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"validation_split": 0.5}, "expected both or none"),
        ({"subset": "training"}, "expected both or none"),
        ({"validation_split": 0.5, "subset": "both"}, "expected 'training' or 'validation'"),
        ({"validation_split": 1.5, "subset": "training"}, "expected between 0 and 1"),
    ],
)
def test_split_arguments(options, message, tiny_videos):
    with pytest.raises(ValueError, match=message):
        dataset(tiny_videos, **options)


def test_other_files_are_left_out(tiny_videos, tmp_path):
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    (folder / "left" / "notes.txt").write_text("not a video")
    (folder / "left" / ".hidden.mp4").write_text("not a video")
    (folder / "left" / "more").mkdir()
    shutil.copy(folder / "right" / "video1.mp4", folder / "left" / "more" / "deep.MP4")
    batches = dataset(folder)
    assert len(batches.file_paths) == 9
    assert batches.file_paths[0].endswith("deep.MP4")


def test_folders_without_videos_are_rejected(tmp_path):
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        dataset(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ValueError, match=r"has no examples for Videos.*in its sub-folders \['empty'\]"
    ):
        dataset(tmp_path)


def test_hidden_copies_are_neither_videos_nor_classes(tiny_videos, tmp_path):
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    copies = ("left/.ipynb_checkpoints", "__MACOSX/left", "right/@eaDir/video1.mp4", ".trash/up")
    for name in copies:
        (folder / name).mkdir(parents=True)
        shutil.copy(folder / "right" / "video1.mp4", folder / name / "video1.mp4")
    batches = dataset(folder)
    assert batches.class_names == ["left", "right"] and len(batches.file_paths) == 8


def test_linked_folders_are_read_by_default(tiny_videos, tmp_path):
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    (folder / "left" / "more").symlink_to(tiny_videos / "right")
    assert len(dataset(folder).file_paths) == 12
    assert len(dataset(folder, follow_links=False).file_paths) == 8


def test_a_class_without_videos_is_reported(tiny_videos, tmp_path):
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    (folder / "middle").mkdir()
    (folder / "middle" / "1.VOB").touch()
    with pytest.raises(ValueError, match=r"sub-folders \['middle'\] have no examples .*1 \.vob"):
        dataset(folder)
    allowed = dataset(folder, allow_empty=True)
    assert allowed.class_names == ["left", "middle", "right"]
    assert [label for _, labels in allowed for label in labels.numpy()] == [0] * 4 + [2] * 4
    named = dataset(folder, class_names=["right", "left"])
    assert len(named.file_paths) == 8
    taken = dataset(folder, source=Videos(suffixes=frozenset({".vob", ".mp4"})))
    assert len(taken.file_paths) == 9


def test_videos_ignored_by_suffix_are_reported(tiny_videos, tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *words: messages.append(text % words))
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    dataset(folder)
    assert not messages
    (folder / "left" / "1.m2ts").touch()
    dataset(folder)
    assert "ignored videos because of their suffix" in messages[0] and "1 .m2ts" in messages[0]


def test_class_names_are_unique_and_of_any_sequence_type(tiny_videos):
    batches = dataset(tiny_videos, class_names=np.array(["right", "left"]))
    assert batches.class_names == ["right", "left"]
    with pytest.raises(ValueError, match=r"class_names with duplicates \['left'\]"):
        dataset(tiny_videos, class_names=("left", "left"))


def test_a_single_class_is_read(tiny_videos, tmp_path):
    shutil.copytree(tiny_videos / "left", tmp_path / "videos" / "left")
    batches = dataset(tmp_path / "videos")
    assert [labels.tolist() for _, labels in batches.as_numpy_iterator()] == [[0] * 4]


def records_of(*sizes):
    return [
        Record(f"{label}/{number}", (label,))
        for label, size in enumerate(sizes)
        for number in range(size)
    ]


def split(records, fraction, **options):
    names = [str(label) for label in range(1 + max(record.labels[0] for record in records))]
    parts = [
        part_of(records, names, fraction, part, **options) for part in ("training", "validation")
    ]
    assert sorted(parts[0] + parts[1], key=records.index) == records
    return parts


def counts(records):
    return [sum(record.labels == (label,) for record in records) for label in range(3)]


@pytest.mark.parametrize(
    "sizes,fraction,expected",
    [
        ((10, 20, 30), 0.2, [2, 4, 6]),
        ((100, 100, 100), 0.29, [29, 29, 29]),
        ((3, 3, 4), 0.2, [1, 0, 1]),
        ((1, 1, 8), 0.3, [0, 0, 3]),
        ((40, 1, 1), 0.05, [2, 0, 0]),
    ],
)
def test_every_class_contributes_its_fraction(sizes, fraction, expected):
    training, validation = split(records_of(*sizes), fraction)
    assert len(validation) == sum(expected)
    assert counts(validation)[2] == expected[2] and sorted(counts(validation)) == sorted(expected)
    assert min(counts(training)) >= 1


def test_a_split_is_repeatable_and_changes_with_the_seed():
    records = records_of(20, 20)
    first, again, other = (split(records, 0.3, split_seed=seed)[1] for seed in (0, 0, 1))
    assert first == again != other


def test_a_split_that_rounds_to_zero_is_reported(tiny_videos):
    message = "validation_split=0.1 of 8 videos, which leaves none for validation"
    for part in ("training", "validation"):
        with pytest.raises(ValueError, match=message):
            dataset(tiny_videos, validation_split=0.1, subset=part)


def test_a_class_that_a_split_leaves_without_videos_is_reported(monkeypatch):
    messages = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *words: messages.append(text % words))
    split(records_of(1, 1), 0.5)
    assert "leaves 1 of 2 classes without videos for training" in messages[0]
    assert "leaves 1 of 2 classes without videos for validation" in messages[1]


def test_names_that_are_not_utf8(tiny_videos, tmp_path):
    folder = tmp_path / "videos"
    shutil.copytree(tiny_videos / "left", folder / os.fsdecode(b"g\xe9n"))
    shutil.copytree(tiny_videos / "right", folder / "right")
    (folder / "right" / os.fsdecode(b"\xff\n.mp4")).write_bytes(b"no video")
    batches = dataset(folder)
    assert batches.class_names == ["g\udce9n", "right"] and len(batches.file_paths) == 9
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cannot decode .*\\udcff\\n.mp4"):
        list(batches)
    assert sum(len(labels) for _, labels in dataset(folder, on_error="skip")) == 8
