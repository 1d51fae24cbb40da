import shutil

import pytest

from keras_video import data, zoo
from keras_video.probes.examples import ExampleSettings, find_examples

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")
PROTOCOL = ROW.protocol("test")


def test_class_folders(tiny_videos, tmp_path):
    folder = tmp_path / "clips"
    for name in ("left", "right"):
        shutil.copytree(tiny_videos / name, folder / name)
    labeled = find_examples(ExampleSettings(data=str(folder)), PROTOCOL)
    assert labeled.class_names == ("left", "right") and len(labeled.records) == 8
    assert labeled.held_out == () and isinstance(labeled.source, data.Videos)
    settings = ExampleSettings(train_list=str(folder), val_list=str(folder))
    assert len(find_examples(settings, PROTOCOL).held_out) == 8


@pytest.mark.parametrize("row", [ROW.id, None])
def test_lists(tiny_videos, tmp_path, row):
    import dataclasses

    (tmp_path / "names.txt").write_text("to the left\nto the right\n")
    settings = ExampleSettings(
        train_list=str(tiny_videos / "list.txt"),
        val_list=str(tiny_videos / "list.txt"),
        data_root=str(tiny_videos),
        class_names=str(tmp_path / "names.txt"),
    )
    labeled = find_examples(settings, dataclasses.replace(PROTOCOL, row=row))
    assert labeled.class_names == ("to the left", "to the right")
    assert len(labeled.records) == len(labeled.held_out) == 8
    assert labeled.records[0].path.startswith(str(tiny_videos))


def test_a_list_of_frame_folders(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "img_00001.jpg").write_bytes(b"")
    (tmp_path / "list.txt").write_text("a 1 0\nb 1 1\n")
    settings = ExampleSettings(train_list=str(tmp_path / "list.txt"), data_root=str(tmp_path))
    labeled = find_examples(settings, PROTOCOL)
    assert isinstance(labeled.source, data.RawFrames)
    assert [record.labels for record in labeled.records] == [(0,), (1,)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "data=None train_list=None: give one of the two"),
        ({"data": "a", "train_list": "b"}, "give one of the two"),
        ({"data": ".", "data_root": "x"}, "data_root=x: has no effect"),
    ],
    ids=str,
)
def test_invalid_settings_are_rejected(settings, message):
    with pytest.raises(ValueError, match=message):
        ExampleSettings(**settings)


def test_missing_folders_and_videos_are_named(tiny_videos, tmp_path):
    with pytest.raises(FileNotFoundError, match="no_folder"):
        find_examples(ExampleSettings(data="no_folder"), PROTOCOL)
    (tmp_path / "list.txt").write_text("gone.mp4 0\n")
    with pytest.raises(FileNotFoundError, match=r"gone.mp4 \(.*list.txt:1\)"):
        find_examples(ExampleSettings(train_list=str(tmp_path / "list.txt")), PROTOCOL)
    settings = ExampleSettings(train_list=str(tmp_path / "list.txt"), on_error="skip")
    assert len(find_examples(settings, PROTOCOL).records) == 1
