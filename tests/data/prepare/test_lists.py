import functools
import os

import pytest

from keras_video.data import frame_lines, read_annotations
from keras_video.data.prepare.lists import (
    Entry,
    audio_list,
    frame_list,
    frames_on_disk,
    matched,
    video_list,
    videos_on_disk,
    write_lines,
)
from tests.data.sources.test_raw_frames import write_frames
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


@pytest.fixture
def root(tmp_path):
    for name in ("run/a.b.mp4", "run/c.avi", "sit/c.avi", "12.webm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_videos_are_found_by_path_suffix(root):
    videos = videos_on_disk(root)
    entries = [
        Entry("a.b.mp4", (0,)),
        Entry("a.b", (1,)),
        Entry("12", (2,)),
        Entry("sit/c.mp4", (3,)),
    ]
    pairs, missing = matched([*entries, Entry("none.mp4", (0,))], videos)
    assert [path for _, path in pairs] == ["run/a.b.mp4", "run/a.b.mp4", "12.webm", "sit/c.avi"]
    assert missing == ["none.mp4"]
    with pytest.raises(ValueError, match="several files end in 'c'"):
        matched([Entry("c.avi", (0,))], videos)


def test_lines_of_videos():
    assert video_list([(Entry("a", (1, 4)), "x/a.mp4")]) == ["x/a.mp4 1 4"]
    with pytest.raises(ValueError, match="a is a segment"):
        video_list([(Entry("a", (1,), (0, 0.5)), "x/a.mp4")])


def test_lines_of_frames(tmp_path):
    write_frames(tmp_path / "v", moving_gradient(10), start=0)
    template = "img_{:05}.png"
    whole = Entry("v", (3,))
    assert frame_list([(whole, "v")], tmp_path, template, show_progress=False) == ["v 10 3"]
    parts = [(Entry("v", (1,), place), "v") for place in ((0.0, 0.35), (0.5, 1.0), (1.0, 1.0))]
    assert frame_list(parts, tmp_path, template, show_progress=False) == [
        "v 0 3 1",
        "v 5 5 1",
        "v 9 1 1",
    ]


def test_lines_of_audio(tmp_path):
    write_video(tmp_path / "a.mp4", moving_gradient(7))
    pairs = [(Entry("a", (2,)), "a.mp4")]
    assert audio_list(pairs, tmp_path, ".npy", show_progress=False) == ["a.npy 7 2"]


def test_lists_round_trip(tmp_path):
    names = [os.fsdecode(b"caf\xe9"), "take 2", "take 2 3", " led"]
    for name in names:
        write_frames(tmp_path / "d" / name, moving_gradient(3), "img_{:05}.jpg")
    folders = frames_on_disk(tmp_path / "d")
    pairs, missing = matched([Entry(name, (n,)) for n, name in enumerate(names)], folders)
    assert not missing
    lines = frame_list(pairs, tmp_path / "d", "img_{:05}.jpg", show_progress=False)
    write_lines(tmp_path / "list.txt", lines)
    one_label = functools.partial(frame_lines, labels=1)
    records = read_annotations(tmp_path / "list.txt", tmp_path / "d", annotation_format=one_label)
    assert [(record.listed, record.total_frames, record.labels) for record in records] == [
        (name, 3, (n,)) for n, name in enumerate(names)
    ]
    with pytest.raises(ValueError, match=r"received the path .a\\nb.mp4., which a list of lines"):
        video_list([(Entry("a", (0,)), "a\nb.mp4")])
