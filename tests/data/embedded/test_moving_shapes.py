import hashlib
from pathlib import Path

import numpy as np
import pytest

from keras_video.data.annotations.parsing import check_files, read_annotations
from keras_video.data.decoding.videos import open_video
from keras_video.data.embedded.moving_shapes import embedded_dataset, make_moving_shapes

SMALL = {"videos_per_class": 3, "val_videos_per_class": 2, "frames": 10, "size": 48}


def digests(folder):
    files = sorted(folder.rglob("*.mp4"))
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


@pytest.fixture(scope="module", params=["appearance", "order"])
def dataset(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "shapes"
    return make_moving_shapes(folder, request.param, **SMALL)


def read_all(dataset, list_file):
    records = read_annotations(list_file, dataset.root, len(dataset.class_names))
    return {record.path: open_video(record.path).read(np.arange(10)) for record in records}


def test_lists_name_real_videos(dataset):
    train_list, val_list, class_names = dataset
    for list_file, count in ((train_list, 3), (val_list, 2)):
        records = read_annotations(list_file, dataset.root, len(class_names))
        check_files(records)
        labels = [record.labels[0] for record in records]
        assert labels == [label for label in range(len(class_names)) for _ in range(count)]
        for record in records:
            assert class_names[record.labels[0]] in record.path
            video = open_video(record.path)
            assert video.total_frames == 10
            assert video.read([0]).shape == (1, 48, 48, 3)


def test_videos_differ_and_move(dataset):
    clips = list(read_all(dataset, dataset.train_list).values())
    for clip in clips:
        assert np.abs(clip[0].astype(int) - clip[-1]).max() > 60
    # Apart from frame order: the pairs of the order task have the same frames.
    backgrounds = {clip[:, :4, :4].mean(axis=0).round(-1).tobytes() for clip in clips}
    assert len(backgrounds) >= len(clips) // 2
    assert len(set(digests(dataset.root).values())) == len(clips) * 5 // 3


def test_colors_distinguish_the_classes_of_the_appearance_task(tmp_path):
    dataset = make_moving_shapes(tmp_path / "shapes", "appearance", **SMALL)
    means = {}
    for path, clip in read_all(dataset, dataset.train_list).items():
        colorful = clip.astype(int).reshape(-1, 3)
        colorful = colorful[np.ptp(colorful, axis=1) > 90]
        means.setdefault(Path(path).parent.name, []).append(colorful.mean(axis=0))
    (red, yellow, green, blue) = (np.array(means[name]) for name in dataset.class_names)
    assert (red[:, 0] > red[:, 1] + 60).all() and (yellow[:, :2].min(axis=1) > 130).all()
    assert (green.argmax(axis=1) == 1).all() and (blue.argmax(axis=1) == 2).all()


@pytest.mark.parametrize("has_h264", [True, False])
def test_opposite_directions_have_the_same_frames(has_h264, tmp_path, monkeypatch):
    if not has_h264:
        monkeypatch.setattr(
            "keras_video.data.embedded.moving_shapes._has_encoder", lambda name: False
        )
    dataset = make_moving_shapes(tmp_path / "shapes", "order", **SMALL)
    assert dataset.class_names == ("right", "left", "down", "up")
    clips = list(read_all(dataset, dataset.train_list).values())
    for first, opposite in ((0, 3), (1, 4), (2, 5), (6, 9), (7, 10), (8, 11)):
        np.testing.assert_array_equal(clips[first], clips[opposite][::-1])
    columns = np.arange(48)
    moved = np.abs(clips[0].astype(int) - clips[0][5]).sum(axis=(1, 3))
    assert (moved[9] * columns).sum() / moved[9].sum() > (moved[0] * columns).sum() / moved[0].sum()


def test_same_arguments_give_the_same_files(tmp_path):
    first = make_moving_shapes(tmp_path / "a", **SMALL)
    second = make_moving_shapes(tmp_path / "b", **SMALL)
    other = make_moving_shapes(tmp_path / "c", seed=1, **SMALL)
    assert digests(first.root) == digests(second.root)
    assert not set(digests(first.root).values()) & set(digests(other.root).values())


def test_complete_folder_is_reused_and_other_arguments_replace_it(tmp_path):
    first = make_moving_shapes(tmp_path / "shapes", **SMALL)
    times = [file.stat().st_mtime_ns for file in sorted(first.root.rglob("*.*"))]
    again = make_moving_shapes(tmp_path / "shapes", **SMALL)
    assert again == first
    assert times == [file.stat().st_mtime_ns for file in sorted(first.root.rglob("*.*"))]
    make_moving_shapes(tmp_path / "shapes", **{**SMALL, "videos_per_class": 1})
    assert len(read_annotations(first.train_list)) == len(first.class_names)
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("keras_video.data.embedded.moving_shapes.encode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_moving_shapes(tmp_path / "shapes", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds other files"):
        make_moving_shapes(tmp_path, **SMALL)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("arguments", [{"task": "smell"}, {"size": 47}, {"size": 8}, {"frames": 0}])
def test_arguments_out_of_range(arguments, tmp_path):
    with pytest.raises(ValueError, match=f"received {next(iter(arguments))}="):
        make_moving_shapes(tmp_path / "shapes", **arguments)


def test_embedded_dataset_is_in_the_keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    dataset = embedded_dataset("order", **SMALL)
    assert dataset.root == tmp_path / "keras_video" / "moving_shapes_order"
