"""Files embedded in a larger file are opened by path like separate files."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from keras_video.data.audio.tracks import read_track
from keras_video.data.audio.wav import open_wav
from keras_video.data.decoding.damage import find_damage
from keras_video.data.decoding.errors import DecodeError
from keras_video.data.decoding.images import read_image
from keras_video.data.decoding.opencv import open_video_with_opencv
from keras_video.data.decoding.opening import is_address
from keras_video.data.decoding.sequential import frames_in_order
from keras_video.data.decoding.videos import open_video
from keras_video.data.shard_paths import (
    ShardPath,
    exists,
    is_in_shard,
    mapped,
    open_bytes,
    read_bytes,
    size_of,
)
from tests.audio_files import tone, write_audio_file
from tests.data.audio.test_decoding import write_wav
from tests.images import write_image
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


def in_shard(path, before=777, name=None):
    """The path of a copy of a file, embedded between other bytes."""
    data = Path(path).read_bytes()
    noise = np.random.default_rng(0).bytes(before)
    shard = Path(path).with_name("a #1+2 shard%23.tar")
    shard.write_bytes(noise + data + data[:200])
    return str(ShardPath(str(shard), before, len(data), name or Path(path).name))


@pytest.mark.parametrize(
    "part",
    [
        ShardPath("shards/a.tar", 0, 1, "b.mp4"),
        ShardPath("/s/a#1+2/b%23#.tar", 12, 34, "c#5+6/ä é/名.mp4"),
        ShardPath("a.tar", 1, 2, os.fsdecode(b"caf\xe9\nline.avi")),
        ShardPath("a.tar", 1, 2, ""),
    ],
)
def test_paths_round_trip(part):
    assert ShardPath.of(str(part)) == ShardPath.of(part) == part and is_in_shard(str(part))
    # As other code may write it.
    assert ShardPath.of(Path(str(part))) in (part, None)
    assert pickle.loads(pickle.dumps(str(part))) == str(part)


def test_other_paths_are_unchanged(tmp_path):
    for path in ("a.mp4", "shard:", "shard:a.tar", "shard:a.tar#1/b", "xshard:a#1+2/b", "a#1+2/b"):
        assert not is_in_shard(path)
    odd = tmp_path / "shard:a.tar"
    odd.write_bytes(b"abc")
    assert read_bytes(odd) == b"abc" and size_of(odd) == 3 and exists(odd)
    assert not is_address("shard:x://a.tar#1+2/b.mp4") and not exists("shard:x.tar#1+2/b")


def test_bytes_equal_those_of_the_part(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(100)))
    path = str(ShardPath(str(tmp_path / "a"), 10, 20, "b"))
    whole = bytes(range(10, 30))
    assert read_bytes(path) == whole and size_of(path) == 20
    with open_bytes(path) as file:
        assert file.read(5) == whole[:5] and file.tell() == 5
        assert file.seek(-3, os.SEEK_END) == 17 and file.read() == whole[17:]
        assert file.read() == b"" and file.seek(2) == 2 and file.read(1) == whole[2:3]
        assert file.seek(50) == 50 and file.read(1) == b""
        with pytest.raises(ValueError, match="seek to byte -1"):
            file.raw.seek(-1)
    np.testing.assert_array_equal(mapped(path, "u1", (18,), 2), np.arange(12, 30))
    with pytest.raises(ValueError, match="has 20 bytes, expected 21"):
        mapped(path, "u1", (19,), 2)


def test_a_truncated_shard_is_named(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"0123456789")
    path = str(ShardPath(str(tmp_path / "a.tar"), 5, 6, "video.mp4"))
    for read in (read_bytes, size_of, open_bytes):
        with pytest.raises(OSError, match=r"a.tar has 10 bytes and video.mp4 ends at byte 11"):
            read(path)
    for read in (open_video, read_image, find_damage, read_track):
        with pytest.raises(DecodeError, match=r"a.tar has 10 bytes and video.mp4 ends at byte 11"):
            read(path)
    with pytest.raises(DecodeError, match="the file is empty"):
        open_video(str(ShardPath(str(tmp_path / "a.tar"), 5, 0, "video.mp4")))


FORMATS = [
    ("a.mp4", "libx264", {"bf": "2", "g": "6"}),
    ("a.mkv", "libx264", {"g": "6"}),
    ("a.avi", "mpeg4", {}),
    ("a.ts", "mpeg2video", {}),
    ("a.mpg", "mpeg1video", {}),
    ("a.webm", "libvpx-vp9", {}),
    ("a.flv", "flv1", {}),
    ("a.wmv", "wmv2", {}),
    ("a.mjpeg", "mjpeg", {"pixels": "yuvj420p"}),
    ("a.h264", "libx264", {"g": "6"}),
    ("a.m4v", "mpeg4", {}),
    ("a.y4m", "rawvideo", {}),
    ("a.gif", "gif", {"pixels": "rgb8"}),
]


@pytest.mark.parametrize(("name", "codec", "options"), FORMATS, ids=[entry[0] for entry in FORMATS])
def test_videos_of_all_kinds_are_read_as_from_a_file(name, codec, options, tmp_path):
    path = write_video(tmp_path / name, moving_gradient(20), codec=codec, **options)
    part = in_shard(path)
    file, video = open_video(path), open_video(part)
    assert video.total_frames == file.total_frames >= 19
    np.testing.assert_array_equal(video.times, file.times)
    assert video.end_time == file.end_time
    for indices in ([17, 3, 3, 11], np.arange(file.total_frames), [file.total_frames - 1]):
        np.testing.assert_array_equal(video.read(indices), file.read(indices))
    for (_, frame), (_, expected) in zip(frames_in_order(part), frames_in_order(path), strict=True):
        np.testing.assert_array_equal(frame, expected)
    assert find_damage(part) == find_damage(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_images(name, tmp_path):
    write_image(tmp_path / "a.png", moving_gradient(1)[0])
    path = tmp_path / name
    if name != "a.png":
        image = read_image(tmp_path / "a.png")
        write_image(path, image) if name == "a.jpg" else write_video(
            path, [image], "bmp", 1, None, "bgr24"
        )
    np.testing.assert_array_equal(read_image(in_shard(path)), read_image(path))
    # A still image can be read as a video too.
    np.testing.assert_array_equal(open_video(in_shard(path)).read([0]), open_video(path).read([0]))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.ogg", "libopus"), ("a.aac", "aac")],
)
def test_audio_files(name, codec, tmp_path):
    path = write_audio_file(tmp_path / name, codec, tone(0.6))
    track, expected = read_track(in_shard(path)), read_track(path)
    assert [start for start, _ in track.runs] == [start for start, _ in expected.runs]
    for (_, samples), (_, expected_samples) in zip(track.runs, expected.runs, strict=True):
        np.testing.assert_array_equal(samples, expected_samples)


def test_wav_files_are_memory_mapped_and_end_at_their_part(tmp_path):
    samples = np.arange(2000, dtype=np.int16)[:, None]
    path = tmp_path / "a.wav"
    write_wav(path, samples)
    np.testing.assert_array_equal(open_wav(in_shard(path))[5:1500], open_wav(path)[5:1500])
    # A truncated file does not continue into the next file of the shard.
    part = ShardPath.of(in_shard(path))
    cut = ShardPath(part.file, part.start, part.length - 100, part.name)
    assert open_wav(str(cut)) is None


def test_decoders_limited_to_separate_files_raise_an_error(tmp_path):
    path = in_shard(write_video(tmp_path / "a.mp4", moving_gradient(3)))
    with pytest.raises(DecodeError, match="decoder='opencv' does not support shards"):
        open_video_with_opencv(path)


def test_the_cached_index_of_a_file_is_dropped_when_its_shard_changes(tmp_path):
    path = in_shard(write_video(tmp_path / "a.mp4", moving_gradient(12)))
    assert open_video(path).total_frames == 12
    part = ShardPath.of(path)
    data = write_video(tmp_path / "b.mp4", moving_gradient(9)).read_bytes()
    Path(part.file).write_bytes(b"x" * part.start + data)
    again = ShardPath(part.file, part.start, len(data), part.name)
    assert open_video(str(again)).total_frames == 9
