import shutil

import pytest

from keras_video.data import CenterCrop, Normalize, SampleFrames, video_dataset_from_directory

STEPS = (CenterCrop(32), Normalize((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)))


def dataset(folder, **options):
    arguments = {"sampling": SampleFrames(1, num_clips=2), "steps": STEPS, "batch_size": 8}
    return video_dataset_from_directory(folder, **{**arguments, **options})


def test_folders_are_classes(tiny_videos):
    found = dataset(tiny_videos)
    assert found.class_names == ["left", "right"]
    ((clips, labels),) = found.as_numpy_iterator()
    assert clips.shape == (8, 1, 2, 32, 32, 3)
    assert labels.tolist() == [0] * 4 + [1] * 4
    assert [path.endswith(".mp4") for path in found.file_paths] == [True] * 8


def test_order_of_classes_can_be_given(tiny_videos):
    found = dataset(tiny_videos, class_names=["right", "left"])
    assert found.class_names == ["right", "left"]
    assert ["right" in path for path in found.file_paths] == [True] * 4 + [False] * 4
    with pytest.raises(ValueError, match=r"\['up'\], which .* has no folders for"):
        dataset(tiny_videos, class_names=["up", "left"])


def test_validation_split_parts_the_videos(tiny_videos):
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
    found = dataset(folder)
    assert len(found.file_paths) == 9
    assert found.file_paths[0].endswith("deep.MP4")


def test_nothing_to_find(tmp_path):
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        dataset(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"has nothing for Videos.*in its sub-folders \['empty'\]"):
        dataset(tmp_path)
