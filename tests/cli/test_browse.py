import numpy as np
import pytest
from PIL import Image

from keras_video import zoo
from keras_video.training.browsing import browse
from keras_video.training.settings import RunSettings
from tests.cli.running import call

ROW = "tsn_r18_1x1x4_moving_shapes"


def lists(tiny_videos, tmp_path):
    (tmp_path / "names.txt").write_text("left\nright\n")
    (tmp_path / "list.txt").write_text((tiny_videos / "list.txt").read_text())
    file = str(tmp_path / "list.txt")
    return {
        "train_list": file,
        "val_list": file,
        "data_root": str(tiny_videos),
        "class_names": str(tmp_path / "names.txt"),
    }


def test_a_sheet_and_a_page(tiny_videos, tmp_path, capsys):
    flags = [f"--{name}={value}" for name, value in lists(tiny_videos, tmp_path).items()]
    call("browse", f"--row={ROW}", "--count=3", f"--out={tmp_path}/a.png", *flags)
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.height == 3 * (zoo.row(ROW).input_shape[1] + 18)
    assert "3 clips are in" in capsys.readouterr().out
    call("browse", f"--row={ROW}", "--phase=test", "--count=5", f"--out={tmp_path}/a.html", *flags)
    assert (tmp_path / "a.html").read_text().count("<figure>") == 5
    with pytest.raises(ValueError, match=r"out=a\.jpg: expected a file name ending in"):
        call("browse", f"--row={ROW}", "--out=a.jpg", *flags)


def test_the_clips_are_those_of_the_training(tiny_videos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = RunSettings(row=ROW, batch_size=4, seed=3, **lists(tiny_videos, tmp_path))
    clips, labels, names, normalize = browse(settings, count=6)
    assert len(clips) == len(labels) == 6 and set(map(int, labels)) <= {0, 1}
    assert list(names) == ["left", "right"] and normalize == zoo.row(ROW).normalize
    again = browse(settings, count=4)[0]
    np.testing.assert_array_equal(clips[:4], again)
    other = browse(RunSettings(row=ROW, batch_size=4, seed=4, **lists(tiny_videos, tmp_path)))[0]
    assert not np.array_equal(clips[0], other[0])
    assert not list(tmp_path.glob("work_dirs*")), "nothing is written"


def test_other_phases_are_rejected():
    with pytest.raises(ValueError, match="phase='val': expected 'train' or 'test'"):
        browse(RunSettings(row=ROW), "val")
