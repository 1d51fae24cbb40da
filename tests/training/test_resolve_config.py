"""Rows adapted to a user's own lists."""

import logging

import pytest

from keras_video import zoo
from keras_video.training import run
from keras_video.training.lists import RunLists
from keras_video.training.resolve_config import for_classes
from keras_video.training.settings import RunSettings

pytestmark = pytest.mark.unit


def pairs(row):
    return row.spatial.train.flip_labels


def test_labels_of_other_classes_stay_when_clips_are_mirrored(caplog):
    row = zoo.row("trn_r50_1x1x8_50e_sthv1_rgb")
    assert pairs(row)
    with caplog.at_level(logging.WARNING):
        assert pairs(for_classes(row, 2)) == ()
    assert "swaps the labels 2-4 30-41 52-66 of sthv1" in caplog.text


def test_labels_of_the_rows_dataset_are_swapped():
    row = zoo.row("trn_r50_1x1x8_50e_sthv1_rgb")
    assert for_classes(row, row.classes) is row


def test_labels_of_an_example_are_not_swapped():
    row = zoo.row("x_x3d")
    assert pairs(row) and pairs(for_classes(row, row.classes)) == ()


@pytest.mark.parametrize("name", ["x_tsn", "x_audio"])
def test_rows_without_label_swaps_are_unchanged(name):
    assert for_classes(zoo.row(name), 2) is zoo.row(name)


def started(folder, **settings):
    """A run of the example of X3D."""
    return run.start_run(RunSettings(row="x_x3d", work_dir=str(folder / "run"), **settings))


def test_a_run_on_custom_lists_swaps_no_labels(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a.mp4 0\nb.mp4 1\n")
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    lists = {"train_list": str(path), "val_list": str(path), "data_root": str(tmp_path)}
    own = started(tmp_path, **lists)
    assert own.lists.class_names == ("0", "1")
    assert pairs(own.row) == ()


def test_a_run_without_lists_swaps_the_labels_of_its_row(tmp_path, monkeypatch):
    embedded = RunLists(None, None, None, ("right", "left", "up", "down"))
    monkeypatch.setattr(run, "find_lists", lambda *_: embedded)
    assert pairs(started(tmp_path).row) == pairs(zoo.row("x_x3d"))
