"""Smaller copies keep frames, times and audio, whatever the audio codec."""

import logging
from fractions import Fraction

import av
import numpy as np
import pytest
from absl import logging as absl_logging

from keras_video.data import audio_of_video, open_video
from keras_video.data.audio.tracks import open_audio_stream
from keras_video.data.decoding.errors import DecodeError
from keras_video.data.prepare.resizing import resize_video
from tests.audio_files import tone, write_audiovisual
from tests.cli.running import call
from tests.videos import moving_gradient, write_video

# File, video and audio codec, sample rate, channel layout; audio codec of the copy.
KINDS = [
    ("a.mkv", "libx264", "libopus", 48000, "stereo", "opus"),
    ("a.webm", "libvpx-vp9", "libopus", 48000, "mono", "opus"),
    ("a.avi", "mpeg4", "libmp3lame", 44100, "stereo", "mp3float"),
    ("a.avi", "mpeg4", "pcm_u8", 8000, "mono", "aac"),
    ("a.flv", "flv", "libmp3lame", 44100, "mono", "mp3float"),
    ("a.mpg", "mpeg2video", "mp2", 48000, "stereo", "mp3float"),
    ("a.mkv", "libx264", "ac3", 48000, "5.1(side)", "ac3"),
    ("a.mkv", "libx264", "pcm_f32le", 16000, "5.1", "aac"),
    ("a.mkv", "libx264", "wavpack", 6000, "mono", "aac"),
    ("a.ts", "libx264", "mp2", 32000, "mono", "mp3float"),
]


def audio_codec(path):
    with open_audio_stream(path) as (_, stream):
        return stream.codec_context.name, stream.codec_context.layout.nb_channels


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[2]}_{kind[0]}")
def test_audio_of_any_codec_stays_with_its_frames(tmp_path, kind):
    name, picture, codec, rate, layout, expected = kind
    wave = tone(0.8, rate)
    path = write_audiovisual(
        tmp_path / name,
        moving_gradient(50, 96, 128),
        [(0.6, wave)] if not name.endswith(".avi") else [(0, 0 * tone(0.6, rate)), (0.6, wave)],
        times=np.arange(50) / 25,
        codec=codec,
        rate=rate,
        layout=layout,
        video_codec=picture,
    )
    resize_video(path, tmp_path / "small.mp4", 48)
    before, after = open_video(path), open_video(tmp_path / "small.mp4")
    assert after.read([0]).shape == (1, 48, 64, 3)
    np.testing.assert_allclose(after.times - after.times[0], before.times - before.times[0])
    channels = len(av.AudioLayout(layout).channels)
    assert audio_codec(tmp_path / "small.mp4") == (expected, channels)
    waves = [audio_of_video(file) for file in (path, tmp_path / "small.mp4")]
    assert abs(len(waves[0]) - len(waves[1])) <= 20
    parts = [np.abs(samples[:31000]).reshape(-1, 100).max(1) for samples in waves]
    starts, ends = ([start_or_end(part) for part in parts] for start_or_end in (_first, _last))
    assert abs(starts[0] - starts[1]) <= 2 and abs(ends[0] - ends[1]) <= 4
    assert 90 <= starts[1] <= 105 and 215 <= ends[1] <= 245
    # In 5.1 audio, the low-frequency channel loses its contribution to the average.
    np.testing.assert_allclose(parts[1][120:200].mean(), parts[0][120:200].mean(), rtol=0.2)


def _first(loudness):
    return int((loudness > 0.1).argmax())


def _last(loudness):
    return len(loudness) - 1 - int((loudness[::-1] > 0.1).argmax())


def test_audio_gaps_and_changes_are_preserved(tmp_path):
    # MP4 does not support the codec, so the audio is re-encoded.
    runs = [(0.2, tone(0.4)), (1.2, tone(0.4))]
    path = write_audiovisual(tmp_path / "a.mkv", moving_gradient(50), runs, codec="pcm_u8")
    resize_video(path, tmp_path / "b.mp4", 24)
    wave = np.abs(audio_of_video(tmp_path / "b.mp4"))
    loud = wave.reshape(-1, 1600).max(1) > 0.2
    assert loud.astype(int).tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_variable_rates_keep_their_times(tmp_path, name):
    times = np.cumsum([0, 0.04, 0.2, 0.04, 0.04, 1.0, 0.04, 0.5])
    runs = [(0, tone(1.8))]
    path = write_audiovisual(tmp_path / name, moving_gradient(8), runs, times=times)
    resize_video(path, tmp_path / "b.mp4", 24)
    before, after = open_video(path), open_video(tmp_path / "b.mp4")
    np.testing.assert_allclose(after.times, before.times, atol=1e-3)
    assert after.end_time == pytest.approx(before.end_time, abs=1e-3)


def test_video_that_begins_late_stays_late(tmp_path):
    times = 0.5 + np.arange(25) / 25
    path = write_audiovisual(tmp_path / "a.mkv", moving_gradient(25), [(0, tone(1.5))], times=times)
    resize_video(path, tmp_path / "b.mp4", 24)
    assert open_video(tmp_path / "b.mp4").times[0] == pytest.approx(0.5, abs=2e-3)
    np.testing.assert_allclose(
        audio_of_video(tmp_path / "b.mp4")[1000:15000], audio_of_video(path)[1000:15000], atol=0.1
    )


def test_the_pixel_aspect_ratio_is_preserved(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 90, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
        for image in moving_gradient(5, 96, 90):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    resize_video(path, tmp_path / "b.mp4", 48)
    with av.open(str(tmp_path / "b.mp4")) as copy:
        assert copy.streams.video[0].sample_aspect_ratio == Fraction(16, 15)
    assert open_video(tmp_path / "b.mp4").read([0]).shape == (1, 50, 48, 3)


def test_rotated_videos_are_stored_upright(tmp_path, rotated_video):
    path, frames = rotated_video
    resize_video(path, tmp_path / "b.mp4", 32)
    small = open_video(tmp_path / "b.mp4").read([0])[0]
    assert small.shape[0] > small.shape[1]
    expected = open_video(path).read([0], 32)[0]
    assert np.abs(small.astype(int) - expected[: small.shape[0], : small.shape[1]]).mean() < 6
    assert frames == open_video(tmp_path / "b.mp4").total_frames


@pytest.fixture
def rotated_video(tmp_path):
    """A video with a display rotation of 90 degrees, and its number of frames."""
    path = write_video(tmp_path / "flat.mp4", moving_gradient(4, 64, 96))
    data = bytearray(path.read_bytes())
    # The matrix of the track header, after 40 bytes in version 0 (ISO 14496-12).
    place = data.index(b"tkhd") + 4 + 40
    turn = [0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30]
    data[place : place + 36] = np.array(turn, ">i4").tobytes()
    (tmp_path / "turned.mp4").write_bytes(data)
    assert open_video(tmp_path / "turned.mp4").read([0]).shape == (1, 96, 64, 3)
    return tmp_path / "turned.mp4", 4


def test_colors_equal_those_of_the_video(tmp_path):
    images = [np.full((64, 96, 3), color, np.uint8) for color in ((200, 40, 60), (20, 180, 90))]
    path = write_video(tmp_path / "a.mkv", images * 3, "ffv1", pixels="bgr0")
    resize_video(path, tmp_path / "b.mp4", 32)
    small = open_video(tmp_path / "b.mp4").read(range(6)).astype(int)
    np.testing.assert_allclose(small.mean((1, 2)), [image[0, 0] for image in images * 3], atol=6)


def test_damaged_files_are_named_and_the_rest_is_written(tmp_path, caplog):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_audiovisual(videos / "good.mkv", moving_gradient(25), [(0, tone(1.0))])
    whole = write_audiovisual(videos / "whole.mp4", moving_gradient(25), [(0, tone(1.0))])
    (videos / "cut.mp4").write_bytes(whole.read_bytes()[:-3000])
    (videos / "text.mkv").write_text("no video")
    (videos / "empty.webm").write_bytes(b"")
    absl_logging.get_absl_logger().propagate = True
    with caplog.at_level(logging.INFO, logger="absl"):
        flags = ["--videos", videos, "--out", tmp_path / "out", "--short_side", "24"]
        assert call("prepare resized", *flags) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.mp4", "whole.mp4"]
    for name in ("cut.mp4", "text.mkv", "empty.webm"):
        assert f"{name}: cannot decode" in caplog.text


def test_unwritable_files_are_reported(tmp_path):
    path = write_audiovisual(tmp_path / "a.mkv", moving_gradient(5), [(0, tone(0.2))])
    with pytest.raises(DecodeError, match=r"a\.mkv: it cannot be written to .*b\.unknown"):
        resize_video(path, tmp_path / "b.unknown", 24)


def test_the_same_video_produces_the_same_file(tmp_path):
    write_video(tmp_path / "a.mp4", moving_gradient(30, 240, 320))
    contents = set()
    for _ in range(8):
        resize_video(tmp_path / "a.mp4", tmp_path / "b.mp4", 240, quality=30, keyframe_every=6)
        contents.add((tmp_path / "b.mp4").read_bytes())
    assert len(contents) == 1
