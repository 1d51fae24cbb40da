import json
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from keras_video.data.annotations.records import Record
from keras_video.data.audio.decoding import audio_of_frames, read_audio, resampled
from keras_video.data.audio.sources import Waveforms
from keras_video.data.audio.wav import open_wav
from keras_video.data.decoding.videos import DecodeError

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"
RECORDS = json.loads((FIXTURES / "audio_slices.json").read_text())["records"]
CODECS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "mp4": "aac"}


def tone(seconds=1.0, rate=16000, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def write_audio(path, channels, rate=16000):
    """Writes float waveforms, one per channel, with the codec implied by the file suffix."""
    channels = np.ascontiguousarray(channels, "float32")
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix[1:]], rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(channels, "fltp", layout)
        frame.rate = rate
        resampler = av.AudioResampler(
            stream.format, layout, rate, frame_size=stream.codec_context.frame_size or 1024
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", CODECS)
def test_reads_what_was_written(tmp_path, suffix):
    wave = tone()
    decoded = read_audio(write_audio(tmp_path / f"tone.{suffix}", [wave]))
    assert decoded.dtype == np.float32
    assert decoded.ndim == 1
    assert len(wave) <= len(decoded) <= len(wave) + 2500
    if suffix in ("wav", "flac"):
        np.testing.assert_allclose(decoded, wave, atol=1e-4)
    else:
        spectrum = np.abs(np.fft.rfft(decoded[4000:12000]))
        assert spectrum.argmax() == 220
        assert 0.45 < decoded[4000:12000].max() < 0.55


def test_channels_are_averaged(tmp_path):
    path = write_audio(tmp_path / "stereo.wav", [tone(), np.zeros(16000)])
    np.testing.assert_allclose(read_audio(path), tone() / 2, atol=1e-4)


def test_resamples(tmp_path):
    path = write_audio(tmp_path / "tone.wav", [tone(rate=44100)], rate=44100)
    resampled = read_audio(path, 16000)
    assert abs(len(resampled) - 16000) <= 20
    np.testing.assert_allclose(resampled[200:15800], tone()[200:15800], atol=5e-3)
    assert len(read_audio(path, None)) == 44100


def test_a_waveform_is_resampled_like_a_file(tmp_path):
    wave = tone(rate=44100).astype("float32")
    read = read_audio(write_audio(tmp_path / "tone.wav", [wave], rate=44100), 16000)
    np.testing.assert_allclose(resampled(wave, 44100, 16000), read, atol=1e-4)
    assert resampled(wave, 44100, 44100) is wave


def write_wav(path, samples, rate=16000, width=2):
    """Writes integers `(samples, channels)` as a WAV file with `width` bytes per sample."""
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1], width, rate, 0, "NONE", "NONE"))
        file.writeframes(samples.astype(f"<i{width}").tobytes())
    return path


def decoded_by_ffmpeg(path):
    """The average of the channels, decoded by FFmpeg packet by packet."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp")
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames])


@pytest.mark.parametrize("channels", [1, 2])
def test_wav_samples_equal_those_decoded_by_ffmpeg(tmp_path, channels):
    samples = np.random.default_rng(0).integers(-32768, 32768, (5000, channels))
    path = write_wav(tmp_path / "a.wav", samples)
    wav, expected = open_wav(path), decoded_by_ffmpeg(path)
    assert wav.sample_rate == 16000
    assert len(wav) == len(expected) == 5000
    np.testing.assert_array_equal(wav[:], expected)
    np.testing.assert_array_equal(wav[1234:2345], expected[1234:2345])
    np.testing.assert_array_equal(read_audio(path), expected)


def test_only_the_requested_part_of_a_wav_file_is_read(tmp_path, monkeypatch):
    samples = np.random.default_rng(0).integers(-32768, 32768, (16000, 1))
    record = Record(str(write_wav(tmp_path / "a.wav", samples)), (0,), total_frames=10)
    monkeypatch.setattr(Waveforms, "decode", None)
    opened = Waveforms(length=2000).open(record)
    assert opened.total_frames == 10
    parts = opened.read(np.array([[0, 5], [4, 9]]))
    np.testing.assert_array_equal(parts[0], samples[1600:3600, 0] / np.float32(32768))
    np.testing.assert_array_equal(parts[1], samples[8000:10000, 0] / np.float32(32768))


def test_other_wav_files_are_decoded(tmp_path):
    samples = np.random.default_rng(0).integers(-(2**31), 2**31, (3000, 1))
    path = write_wav(tmp_path / "wide.wav", samples, width=4)
    assert open_wav(path) is None
    np.testing.assert_allclose(read_audio(path), samples[:, 0] / 2**31, atol=1e-6)


@pytest.mark.parametrize("length", [5000, 20, 0])
def test_damaged_wav_files_are_left_to_the_decoder(tmp_path, length):
    path = write_wav(tmp_path / "a.wav", np.random.default_rng(0).integers(-100, 100, (3000, 1)))
    path.write_bytes(path.read_bytes()[:length])
    assert open_wav(path) is None
    assert open_wav(tmp_path / "none.wav") is None


def test_reads_the_audio_of_a_real_video(real_clips):
    path = sorted((real_clips / "exercise_typing" / "val").glob("*.mp4"))[0]
    wave = read_audio(path)
    assert len(wave) > 16000
    assert 1e-4 < np.abs(wave).max() <= 1


def test_a_video_without_audio_is_named(tiny_videos):
    path = tiny_videos / "left" / "video0.mp4"
    with pytest.raises(DecodeError, match=r"video0\.mp4: it has no audio track"):
        read_audio(path)


def test_damaged_and_missing_files_are_named(tmp_path, tiny_videos):
    with pytest.raises(DecodeError, match=r"bad\.mp4"):
        read_audio(tiny_videos / "bad.mp4")
    with pytest.raises(FileNotFoundError, match=r"none\.wav"):
        read_audio(tmp_path / "none.wav")


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: str(r["output"]["shape"]))
def test_slices_equal_the_originals(record):
    inputs, expected = record["input"], record["output"]
    features = "feature_rows" in inputs
    length = inputs["feature_rows" if features else "samples"]
    audio = np.arange(1.0, length + 1)  # each value identifies its row or sample; 0 is padding
    if features:
        audio = np.stack([audio, audio], axis=-1)
    frames = np.array(inputs["frame_inds"]).reshape(inputs["num_clips"], -1)
    parts = audio_of_frames(
        audio, frames, inputs["total_frames"], record["arguments"]["fixed_length"]
    )
    assert list(parts.shape) == expected["shape"]
    key = "first_row_and_row_count" if features else "first_sample_and_sample_count"
    for part, (first, count) in zip(parts, expected[key], strict=True):
        part = part[:, 0] if features else part
        np.testing.assert_array_equal(part[:count], audio.reshape(length, -1)[first:, 0][:count])
        assert not part[count:].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": np.arange(4)}, r"shape \(4,\)"),
        ({"total_frames": 0}, "total_frames=0"),
        ({"length": 0}, "length=0"),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected(arguments, message):
    settings = {
        "audio": np.zeros(9),
        "frames": [[0, 1]],
        "total_frames": 2,
        "length": 3,
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        audio_of_frames(**settings)
