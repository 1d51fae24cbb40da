"""Synchronization of audio with frames, and tracks whose format changes midway."""

import shutil
import subprocess

import av
import numpy as np
import pytest
from av.stream import Disposition

from keras_video.data.annotations.records import Record
from keras_video.data.audio.audiovisual import AudioVisual
from keras_video.data.audio.decoding import read_audio
from keras_video.data.audio.sources import Waveforms
from keras_video.data.audio.tracks import AudioTrack, audio_of_video, read_track
from keras_video.data.decoding.videos import DecodeError, open_video
from tests.audio_files import add_audio_stream, tone, write_audio_file, write_audiovisual

pytestmark = pytest.mark.unit


def images(count, turn):
    """Frames that are red before frame `turn` and blue from it on."""
    red, blue = np.zeros((2, 32, 48, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    return [red if number < turn else blue for number in range(count)]


def loud(wave):
    return np.sqrt(np.mean(np.square(wave), axis=-1)) > 0.05


def clips_of(path, clip=4):
    """For each clip of a few frames: whether it is blue, and whether it contains a tone."""
    source = AudioVisual(waveforms=Waveforms(length=16000 * clip // 25))
    opened = source.open(Record(str(path), (0,)))
    starts = np.arange(0, opened.total_frames - clip + 1, clip)
    read = opened.read(starts[:, None] + np.arange(clip))
    blue = read["video"][::clip, ..., 2].mean((1, 2)) > 128
    middle = read["audio"].shape[1] // 4
    return blue, loud(read["audio"][:, middle:-middle])


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "aac", {}),
        ("a.mkv", "aac", {}),
        ("a.mkv", "libopus", {"rate": 48000}),
        ("a.ts", "mp2", {"rate": 48000}),
    ],
)
def test_audio_that_begins_late_stays_with_its_frames(tmp_path, name, codec, options):
    runs = [(1.2, tone(1.2, options.get("rate", 16000)))]
    path = write_audiovisual(tmp_path / name, images(60, 30), runs, codec=codec, **options)
    blue, has_tone = clips_of(path)
    # The quarter of a second around the change belongs to both.
    assert (has_tone == blue).sum() >= len(blue) - 1
    assert has_tone.sum() >= 6 and (~has_tone).sum() >= 6


def test_audio_that_ends_early_is_followed_by_silence(tmp_path):
    path = write_audiovisual(tmp_path / "a.mp4", images(60, 30), [(0, tone(1.2))])
    blue, has_tone = clips_of(path)
    assert (has_tone == ~blue).sum() >= len(blue) - 1


def test_a_gap_is_silent(tmp_path):
    runs = [(0, tone(0.64)), (1.6, tone(0.64))]
    path = write_audiovisual(tmp_path / "a.mkv", images(56, 16), runs)
    blue, has_tone = clips_of(path)
    assert has_tone.tolist() == [True] * 4 + [False] * 6 + [True] * 4
    track = read_track(path)
    assert len(track.runs) == 2
    # AAC begins with a packet that only primes the decoder.
    np.testing.assert_allclose([first for first, _ in track.runs], [0, 25600], atol=1100)


def test_variable_rate_frames_have_the_audio_of_their_time(tmp_path):
    times = np.concatenate([np.arange(10) / 5, 2 + np.arange(50) / 25])
    path = write_audiovisual(tmp_path / "a.mp4", images(60, 10), [(2.0, tone(2.0))], times=times)
    opened = Waveforms(length=2000).open(Record(str(path), (0,)))
    parts = opened.read(np.arange(59)[:, None] + np.arange(2))
    np.testing.assert_array_equal(loud(parts[:, :640]), np.arange(59) >= 10)


def test_the_audio_of_a_clip_lasts_as_long_as_its_frames(tmp_path):
    path = write_audiovisual(tmp_path / "a.mkv", images(50, 25), [(0, tone(2.0))])
    opened = Waveforms(length=9000).open(Record(str(path), (0,)))
    whole = audio_of_video(path)
    assert whole.shape == (32000,)
    parts = opened.read(np.array([np.arange(5, 15), np.arange(40, 50)]))
    np.testing.assert_array_equal(parts[0, :6400], whole[3200:9600])
    assert not parts[:, 6400:].any()
    np.testing.assert_array_equal(parts[1, :6400], whole[25600:])
    # A list may state a frame count that differs from the file's.
    opened = Waveforms(length=9000).open(Record(str(path), (0,), total_frames=10))
    np.testing.assert_array_equal(opened.read([[1, 2]])[0, :6400], whole[3200:9600])


def test_video_audio_is_in_sync_with_the_frames(tmp_path):
    path = write_audiovisual(tmp_path / "a.mp4", images(50, 25), [(0.5, tone(1.0))])
    wave = audio_of_video(path)
    assert wave.shape == (32000,)
    np.testing.assert_allclose(wave[10000:23000], tone(1.0)[2000:15000], atol=0.05)
    assert not loud(wave[:7500]) and not loud(wave[26000:])
    assert len(read_audio(path)) < 20000


def test_parts_of_a_track():
    track = AudioTrack(10, ((5, np.ones(5, np.float32)), (20, np.full(5, 2, np.float32))))
    assert track.between(0, 1.2).tolist() == [0] * 5 + [1] * 5 + [0] * 2
    assert track.between(0.8, 2.2).tolist() == [1] * 2 + [0] * 10 + [2] * 2
    assert track.between(-0.2, 0.1).tolist() == [0] * 3
    assert track.between(3.0, 2.0).shape == (0,)
    assert not AudioTrack(10).between(0, 1).any()


CHANGES = {
    "rate.mp2": ("mp2", (44100, "mono"), (32000, "mono")),
    "channels.mp2": ("mp2", (44100, "mono"), (44100, "stereo")),
    "both.mp3": ("libmp3lame", (44100, "stereo"), (22050, "mono")),
    "surround.ac3": ("ac3", (48000, "stereo"), (48000, "5.1(side)")),
}


def joined_file(folder, name):
    codec, *formats = CHANGES[name]
    content = b""
    for number, (rate, layout) in enumerate(formats):
        part = folder / f"{number}.{name.partition('.')[2]}"
        plain = {"write_xing": "0", "id3v2_version": "0"} if codec == "libmp3lame" else {}
        write_audio_file(part, codec, tone(1.0, rate), rate, layout, **plain)
        content += part.read_bytes()
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("name", CHANGES)
def test_tracks_that_change_are_read_to_the_end(tmp_path, name):
    path = joined_file(tmp_path, name)
    wave = read_audio(path, 16000)
    assert 32000 <= len(wave) <= 36000
    quarter = len(wave) // 4
    for part in (wave[quarter - 2000 : quarter + 2000], wave[-quarter - 2000 : 2000 - quarter]):
        assert abs(np.abs(np.fft.rfft(part)).argmax() - 110) <= 1
        assert 0.4 < np.abs(part).max() < 0.6
    track = read_track(path, 16000)
    assert abs(sum(len(samples) for _, samples in track.runs) - len(wave)) <= 20


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
def test_changing_tracks_equal_those_of_ffmpeg(tmp_path):
    path = joined_file(tmp_path, "rate.mp2")
    command = ["ffmpeg", "-v", "error", "-i", path, "-ar", "16000", "-f", "f32le", "-"]
    expected = np.frombuffer(subprocess.run(command, capture_output=True).stdout, np.float32)
    wave = read_audio(path, 16000)
    assert abs(len(wave) - len(expected)) <= 50
    # At a change, the program loses the samples still buffered in the resampler's filter.
    for start in (2000, 20000):
        part = expected[start : start + 10000]
        shifted = (wave[start + lag : start + lag + 10000] for lag in range(-60, 60))
        assert min(np.abs(part - other).max() for other in shifted) < 0.01


def test_without_a_requested_rate_a_single_rate_is_used(tmp_path):
    wave = read_audio(joined_file(tmp_path, "rate.mp2"), None)
    # The rate that FFmpeg reports depends on how much of the file was probed.
    assert min(abs(len(wave) - 2 * rate) for rate in (44100, 32000)) < 4000


def test_a_separate_audio_file_is_read_by_fraction_of_its_length(tmp_path):
    write_audio_file(tmp_path / "a.flac", "flac", tone(2.0))
    opened = Waveforms(length=1700).open(Record(str(tmp_path / "a.flac"), (0,), total_frames=20))
    whole = read_audio(tmp_path / "a.flac")
    start, stop = round(5 / 20 * len(whole)), round(6 / 20 * len(whole))
    np.testing.assert_array_equal(opened.read([[4, 5]])[0, : stop - start], whole[start:stop])


def test_a_video_file_without_frames_is_audio(tmp_path):
    path = write_audio_file(tmp_path / "a.mp4", "aac", tone(2.0))
    opened = Waveforms(length=100).open(Record(str(path), (0,)))
    assert opened.total_frames in (51, 52, 53)
    np.testing.assert_array_equal(audio_of_video(path), read_audio(path))


def test_audiovisual_needs_a_video_decoder():
    with pytest.raises(ValueError, match="decoder='tfio'"):
        AudioVisual(waveforms=Waveforms(decoder="tfio"))


def test_the_clock_of_a_transport_stream(tmp_path):
    runs = [(0, tone(1.0, 48000))]
    path = write_audiovisual(tmp_path / "a.ts", images(25, 12), runs, codec="mp2", rate=48000)
    assert open_video(path).times[0] > 0
    wave = audio_of_video(path)
    assert wave.shape == (16000,) and loud(wave[2000:14000])


def test_the_track_chosen_by_players(tmp_path):
    """The first track is a commentary; the second one is the default."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 32, 48, "yuv420p"
        commentary, encode_commentary = add_audio_stream(container, "aac", [(0, 0 * tone(1.0))])
        chosen, encode_chosen = add_audio_stream(container, "aac", [(0, tone(1.0))])
        commentary.disposition, chosen.disposition = Disposition.comment, Disposition.default
        for image in images(25, 12):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(video.encode())
        encode_commentary()
        encode_chosen()
    assert loud(read_audio(path)) and loud(audio_of_video(path))


def test_playlists_open_no_files(tmp_path):
    write_audio_file(tmp_path / "a.flac", "flac", tone(0.5))
    (tmp_path / "list.mp3").write_text("ffconcat version 1.0\nfile a.flac\n")
    with pytest.raises(DecodeError, match=r"list\.mp3"):
        read_audio(tmp_path / "list.mp3")
