"""Class folders in place of annotation files."""

import shutil

import pytest

from keras_video import data
from keras_video.data.pipelines.class_folders import class_names_of, kind_of_folder

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path):
    """Six files of one class and four of another, which are videos by suffix."""
    for name, count in (("jump", 6), ("a run", 4)):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for number in range(count):
            place = "deeper" if number == 0 else ""
            (tmp_path / name / place / f"clip {number}.mp4").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes.txt").touch()
    return tmp_path


def read(folder, **settings):
    return data.read_annotations(folder, annotation_format=data.ClassFolders(**settings))


def test_a_folder_is_read_like_a_list(folder):
    records = read(folder)
    assert [record.labels for record in records] == [(0,)] * 4 + [(1,)] * 6
    assert records[0].listed == "a run/clip 1.mp4"
    assert records[0].path == str(folder / "a run" / "clip 1.mp4")
    data.check_files(records)
    assert class_names_of(folder) == ("a run", "jump")


def test_both_parts_of_a_split_are_complete_and_have_every_class(folder):
    split = {"validation_split": 0.5, "split_seed": 3}
    training = read(folder, subset="training", **split)
    validation = read(folder, subset="validation", **split)
    paths = {record.path for record in training} | {record.path for record in validation}
    assert paths == {record.path for record in read(folder)}
    labels = [record.labels[0] for record in validation]
    assert (labels.count(0), labels.count(1)) == (2, 3)
    again = read(folder, subset="validation", **split)
    assert again == validation
    others = [read(folder, subset="validation", validation_split=0.5, split_seed=seed)
              for seed in range(5)]  # fmt: skip
    assert any(other != validation for other in others)


def test_an_empty_class_folder_is_an_error_that_names_it(folder):
    (folder / "swim").mkdir()
    (folder / "swim" / "readme.txt").touch()
    with pytest.raises(ValueError, match=f"no videos in {folder}/swim: put some there, or remove"):
        read(folder)
    shutil.rmtree(folder / "swim")
    assert len(read(folder)) == 10


def test_names_define_the_labels_and_other_folders_are_rejected(folder):
    records = read(folder, class_names=("jump", "swim", "a run"))
    assert [record.labels[0] for record in records] == [0] * 6 + [2] * 4
    with pytest.raises(ValueError, match=r"has the folders \['a run'\], which are not classes"):
        read(folder, class_names=("jump", "swim"))


def test_folders_without_classes_are_rejected(tmp_path):
    with pytest.raises(
        NotADirectoryError, match="expected a folder with a sub-folder for each class"
    ):
        read(tmp_path / "none")
    with pytest.raises(ValueError, match="expected a folder with a sub-folder for each class"):
        class_names_of(tmp_path)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["a/x.mp4", "b/y.avi"], "video"),
        (["a/x/img_00001.jpg", "b/y/img_00001.jpg"], "rawframes"),
        (["a/x.png", "b/y.jpg"], "images"),
    ],
)
def test_the_kind_of_a_folder(tmp_path, files, kind):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert kind_of_folder(tmp_path) == kind


def test_a_dataset_accepts_a_folder_as_a_list(tiny_videos, tmp_path):
    for name in ("left", "right"):
        shutil.copytree(tiny_videos / name, tmp_path / name)
    dataset = data.video_dataset(
        tmp_path,
        annotation_format=data.ClassFolders(),
        sampling=data.SampleFrames(clip_len=1, num_clips=2),
        transforms=[data.Resize(size=(32, 32)), data.Normalize((0.0,) * 3, (1.0,) * 3)],
        batch_size=4,
    )
    labels = [label for _, batch in dataset for label in batch.numpy().tolist()]
    assert labels == [0] * 4 + [1] * 4
