import os

import numpy as np
import pytest

from keras_video.data import RawFrames, Videos
from keras_video.data.sources.folder_walk import walk_folder
from keras_video.data.sources.frame_files import folders_of_frames
from keras_video.data.sources.videos import ALL_VIDEO_SUFFIXES, files_in
from tests.images import write_image
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


def touch_files(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def files_below(root, **options):
    folders = walk_folder(root, **options)
    return [
        (folder / name).relative_to(root).as_posix() for folder, names in folders for name in names
    ]


def test_hidden_and_system_files_are_skipped_at_any_depth(tmp_path):
    root = tmp_path / ".cache" / "set"
    left_out = (".ipynb_checkpoints", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "b/.git", "b/@eaDir")
    touch_files(root, "a/1.mp4", "b/c/2.mp4", "a/._1.mp4", "b/.DS_Store")
    touch_files(root, *(f"{folder}/a/1.mp4" for folder in left_out))
    assert files_below(root) == ["a/1.mp4", "b/c/2.mp4"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    root, store = tmp_path / "set", tmp_path / "store"
    touch_files(root, "a/1.mp4", "b/2.mp4")
    touch_files(store, "x/3.mp4", "4.mp4")
    (root / "a" / "more").symlink_to(store / "x")
    (root / "b" / "same").symlink_to(store / "x")
    (root / "a" / "file.mp4").symlink_to(store / "4.mp4")
    (root / "a" / "up").symlink_to(root)
    (store / "x" / "round").symlink_to(store / "x")
    (root / "b" / "lost.mp4").symlink_to(store / "absent.mp4")
    files = ["a/1.mp4", "a/file.mp4", "b/2.mp4", "b/lost.mp4"]
    assert sorted(files_below(root, follow_links=False)) == files
    assert sorted(files_below(root)) == sorted([*files, "a/more/3.mp4", "b/same/3.mp4"])


def test_two_folders_that_lead_to_each_other(tmp_path):
    touch_files(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    assert sorted(files_below(tmp_path)) == ["a/1.mp4", "a/to_b/2.mp4", "b/2.mp4", "b/to_a/1.mp4"]


def test_folders_of_frames_are_searched_the_same_way(tmp_path):
    frame = np.zeros((8, 8, 3), np.uint8)
    for name in ("set/v1", "set/.hidden/v2", "set/__MACOSX/v3", "store/v4"):
        write_image(tmp_path / name / "img_00001.jpg", frame)
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "store")
    root = tmp_path / "set"
    assert RawFrames().find(root) == [root / "linked" / "v4", root / "v1"]
    assert folders_of_frames(root, "img_{:05}.jpg", (), False) == [root / "v1"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    (tmp_path / "a").mkdir(mode=0)
    with pytest.raises(PermissionError):
        files_below(tmp_path)


CODECS = {".3g2": "mpeg4", ".asf": "wmv2", ".m2ts": "mpeg2video", ".m2v": "mpeg2video",
          ".mxf": "mpeg2video", ".vob": "mpeg2video", ".wtv": "mpeg2video", ".f4v": "libx264",
          ".rm": "rv10", ".dv": None, ".divx": None, ".mts": "libx264"}  # fmt: skip


@pytest.mark.parametrize("suffix", [suffix for suffix, codec in CODECS.items() if codec])
def test_videos_of_less_common_suffixes_are_found_and_read(suffix, tmp_path):
    frames = moving_gradient(10, 96, 128)
    write_video(tmp_path / f"clip{suffix.upper()}", frames, codec=CODECS[suffix])
    (path,) = files_in(tmp_path, ALL_VIDEO_SUFFIXES)
    video = Videos().open_file(path)
    assert video.total_frames == 10
    assert np.abs(video.read([5])[0].astype(int) - frames[5]).mean() < 30
