import tracemalloc

import numpy as np
import pytest

from keras_video.data import DecodeError, VideoWriter, frame_rate, frames_in_order, open_video
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


@pytest.fixture
def clip(tmp_path):
    # B-frames and short groups: decoding and display order differ.
    return write_video(tmp_path / "clip.mp4", moving_gradient(23), rate=20, bf="2", g="6")


def test_frames_equal_those_of_random_access(clip):
    expected = open_video(clip).read(np.arange(23))
    indices, frames = zip(*frames_in_order(clip), strict=True)
    assert indices == tuple(range(23))
    np.testing.assert_array_equal(frames, expected)


def test_requested_frames_only(clip):
    expected = open_video(clip).read([0, 7, 21])
    indices, frames = zip(*frames_in_order(clip, iter([0, 7, 21])), strict=True)
    assert indices == (0, 7, 21)
    np.testing.assert_array_equal(frames, expected)
    assert list(frames_in_order(clip, [])) == []


def test_a_file_that_ends_early_is_named(clip):
    with pytest.raises(DecodeError, match=r"clip\.mp4.*requested frame 23; found 23 frames"):
        list(frames_in_order(clip, [2, 23]))


def test_memory_does_not_grow_with_the_length(tmp_path):
    image = moving_gradient(1, height=240, width=320)[0]
    peaks = []
    for count in (20, 80):
        path = write_video(tmp_path / f"{count}.mp4", [image] * count)
        tracemalloc.start()
        for _ in frames_in_order(path):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + image.nbytes


def test_rate(clip):
    assert frame_rate(clip) == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm"])
def test_written_videos_can_be_read(tmp_path, suffix):
    frames = moving_gradient(12, height=49, width=64)
    with VideoWriter(tmp_path / "deeper" / f"out{suffix}", 12.5) as writer:
        for frame in frames:
            writer.write(frame)
    read = np.stack([frame for _, frame in frames_in_order(writer.path)])
    assert read.shape == (12, 48, 64, 3)
    error = np.abs(read.astype(int) - np.stack(frames)[:, :48]).mean()
    assert error < 12  # colors are stored at half the resolution
    assert frame_rate(writer.path) == pytest.approx(12.5, rel=0.01)
    assert [path.name for path in writer.path.parent.iterdir()] == [f"out{suffix}"]


def test_an_error_leaves_no_file(tmp_path):
    frame = moving_gradient(1)[0]
    with (
        pytest.raises(ValueError, match="frame 1 has 24x64 pixels.*expected 48x64"),
        VideoWriter(tmp_path / "out.mp4", 25) as writer,
    ):
        writer.write(frame)
        writer.write(frame[:24])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: VideoWriter(path / "out.mp4", 0), "rate=0"),
        (lambda path: VideoWriter(path / "out.text", 25).__enter__(), "out.text.*such as .mp4"),
    ],
    ids=["rate", "ending"],
)
def test_invalid_arguments_are_rejected(tmp_path, write, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path)
