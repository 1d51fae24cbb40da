import importlib.util
import sys

import numpy as np
import pytest

from keras_video.data.audio.decoding import read_audio
from keras_video.data.audio.sources import Waveforms
from keras_video.data.audio.tfio import read_audio_with_tfio
from keras_video.data.decoding.videos import DecodeError
from tests.data.audio.test_decoding import tone, write_audio

pytestmark = pytest.mark.unit

needs_tfio = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_io") is None, reason="tensorflow-io is not installed"
)


@needs_tfio
@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_decodes_as_ffmpeg_does(tmp_path, suffix):
    path = write_audio(tmp_path / f"a.{suffix}", [tone(), 0.5 * tone()])
    ours, expected = read_audio_with_tfio(path), read_audio(path)
    assert ours.dtype == np.float32
    # Lossy decoders differ in how much of the silence at either end they output.
    assert abs(len(ours) - len(expected)) <= 2500
    if suffix == "mp3":
        spectra = [np.abs(np.fft.rfft(wave[4000:12000])) for wave in (ours, expected)]
        assert [spectrum.argmax() for spectrum in spectra] == [220, 220]
        np.testing.assert_allclose(spectra[0][220], spectra[1][220], rtol=0.02)
    else:
        np.testing.assert_allclose(ours, expected, atol=1e-4)


@needs_tfio
def test_resamples(tmp_path):
    path = write_audio(tmp_path / "a.wav", [tone(rate=44100)], rate=44100)
    resampled = Waveforms(decoder="tfio").decode(path)
    assert abs(len(resampled) - 16000) <= 20
    np.testing.assert_allclose(resampled[200:15800], tone()[200:15800], atol=5e-3)


@needs_tfio
def test_unsupported_files_are_named(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF and nothing else")
    with pytest.raises(DecodeError, match=r"bad\.wav"):
        read_audio_with_tfio(tmp_path / "bad.wav")
    (tmp_path / "clip.mp4").write_bytes(b"")
    with pytest.raises(DecodeError, match=r"clip.mp4: decoder='tfio' reads \.flac"):
        read_audio_with_tfio(tmp_path / "clip.mp4")
    with pytest.raises(FileNotFoundError, match=r"none\.wav"):
        read_audio_with_tfio(tmp_path / "none.wav")


def test_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    with pytest.raises(ImportError, match=r"pip install keras-video\[tfio\]"):
        Waveforms(decoder="tfio").decode(tmp_path / "a.wav")
