import contextlib
import re

import av
import numpy as np
import pytest

from keras_video.data import DecodeError, Videos, open_video
from keras_video.data.decoding.damage import find_damage
from keras_video.data.prepare.checking import check_video
from tests.videos import moving_gradient, write_video

CONTAINERS = {
    "a.mp4": {"movflags": "+faststart"},
    "a.mkv": {},
    "a.flv": {},
    "a.ts": {},
    "a.webm": {"codec": "libvpx"},
    "a.avi": {"codec": "mpeg4"},
    "a.mpg": {"codec": "mpeg2video"},
    "a.wmv": {"codec": "wmv2"},
    "a.ogv": {"codec": "libtheora"},
}


def written(path):
    options = {"codec": "libx264", **CONTAINERS[path.name]}
    try:
        av.Codec(options["codec"], "w")
    except ValueError:
        pytest.skip(f"this build of FFmpeg has no {options['codec']} encoder")
    return write_video(path, moving_gradient(75), g="12", **options)


@pytest.mark.parametrize("name", CONTAINERS)
def test_intact_files_have_no_damage(name, tmp_path):
    path = written(tmp_path / name)
    assert find_damage(path) == (75, None)
    check_video(path)


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("fraction", [0.3, 0.55, 0.81])
def test_truncation_is_reported(name, fraction, tmp_path):
    path = written(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    with pytest.raises(DecodeError, match=name):
        check_video(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.webm"])
def test_overwritten_parts_are_reported(name, tmp_path):
    path = written(tmp_path / name)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=name):
        check_video(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv", "a.ts"])
def test_lost_frames_are_reported(name, tmp_path):
    plain = write_video(tmp_path / "plain.mkv", moving_gradient(75), codec="mpeg4", g="1")
    if name in ("a.flv", "a.ts"):
        plain = write_video(tmp_path / "plain.mkv", moving_gradient(75), g="1")
    path = tmp_path / name
    with av.open(str(plain)) as reader, av.open(str(path), "w") as writer:
        stream = reader.streams.video[0]
        target = writer.add_stream_from_template(stream)
        for number, packet in enumerate(reader.demux(stream)):
            if packet.size and not 30 < number < 50:
                packet.stream = target
                writer.mux(packet)
    frames, damage = find_damage(path)
    assert frames == 56 and damage.startswith("about 19 of its 75 frames are missing")


@pytest.mark.parametrize("length", [60, 4000])
def test_fragments_after_a_damaged_one_are_reported(length, tmp_path):
    plain = write_video(tmp_path / "plain.mp4", moving_gradient(75), g="12")
    path = tmp_path / "a.mp4"
    options = {"movflags": "frag_keyframe+empty_moov"}
    with av.open(str(plain)) as reader, av.open(str(path), "w", options=options) as writer:
        target = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.size:
                packet.stream = target
                writer.mux(packet)
    assert find_damage(path) == (75, None)
    data = path.read_bytes()
    third = [match.start() for match in re.finditer(b"moof", data)][2] - 4
    path.write_bytes(data[:third] + bytes(length) + data[third + length :])
    with pytest.raises(DecodeError, match="a.mp4"):
        check_video(path)
    # Box sizes that are too large or too small.
    for size in (4, len(data)):
        path.write_bytes(data[:third] + size.to_bytes(4) + data[third + 4 :])
        with pytest.raises(DecodeError, match=f"at byte {third} there is no box|a.mp4"):
            check_video(path)
    # Bytes after the last box, as some cameras leave them, are not damage.
    path.write_bytes(data + bytes(3000))
    check_video(path)


def test_frames_announced_by_an_avi_but_missing_are_reported(tmp_path):
    path = write_video(tmp_path / "a.avi", moving_gradient(75), codec="mpeg4", g="12")
    check_video(path)
    data = bytearray(path.read_bytes())
    # The length of the video stream in its header.
    place = data.index(b"strh") + 8 + 32
    assert int.from_bytes(data[place : place + 4], "little") == 75
    for announced, missing in ((77, None), (79, "announces 79 frames, 4 more")):
        data[place : place + 4] = announced.to_bytes(4, "little")
        path.write_bytes(data)
        reason = find_damage(path)[1]
        assert (reason is None) == (missing is None) and (missing or "") in (reason or "")


def test_a_first_frame_one_step_early_is_not_damage(tmp_path):
    times = [0, *range(2, 40)]
    path = write_video(tmp_path / "a.mkv", moving_gradient(39), codec="mpeg4", times=times)
    assert find_damage(path) == (39, None)


def test_variable_rates_are_not_damage(tmp_path):
    times = np.cumsum(np.random.default_rng(1).integers(1, 9, 30))
    path = write_video(tmp_path / "v.mkv", moving_gradient(30), rate=50, times=times)
    assert find_damage(path) == (30, None)


def test_the_time_limit(tmp_path):
    path = written(tmp_path / "a.mkv")
    with pytest.raises(DecodeError, match="time_limit=0 s"):
        check_video(path, time_limit=0)
    with pytest.raises(DecodeError, match="no frame came for -1 s"):
        find_damage(path, stall_limit=-1)


def test_the_log_settings_of_the_user_are_unchanged(tmp_path, caplog):
    path = written(tmp_path / "a.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    for _ in range(2):  # a repeated error is reported again
        assert "conceals an error" in find_damage(path)[1]
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == before
    assert not caplog.records


def test_damage_can_be_an_error_of_the_video_source(tmp_path):
    path = written(tmp_path / "a.mkv")
    assert Videos(damage="error").open_file(path).total_frames == 75
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert 20 < Videos().open_file(path).total_frames < 75
    for _ in range(2):
        with pytest.raises(DecodeError, match="a.mkv"):
            Videos(damage="error").open_file(path)
    with pytest.raises(DecodeError, match="No such file"):
        Videos(damage="error").open_file(tmp_path / "absent.mkv")


@pytest.mark.parametrize("settings", [{"damage": "hide"}, {"damage": "error", "decoder": "opencv"}])
def test_invalid_settings_are_rejected(settings):
    with pytest.raises(ValueError, match="damage='(hide|error)'"):
        Videos(**settings)


def test_open_video_of_a_file_whose_streams_appear_midway(tmp_path):
    """PyAV fails at the end of a file whose damage looks like further streams."""
    generator = np.random.default_rng(0)
    path = written(tmp_path / "a.mpg")
    data = path.read_bytes()
    for trial in range(20):
        damaged = bytearray(data)
        for place in generator.integers(2000, len(data), 30):
            damaged[place] = generator.integers(0xBC, 0xF0)
        path = tmp_path / f"{trial}.mpg"
        path.write_bytes(damaged)
        with contextlib.suppress(DecodeError):
            open_video(path).read([0])
