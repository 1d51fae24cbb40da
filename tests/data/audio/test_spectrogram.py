import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.audio.spectrogram import (
    AddChannel,
    Amplify,
    LogMelFeatures,
    MelSpectrogram,
    NormalizeLoudness,
    audio_features,
    hertz_to_mel,
    log_mel_features,
    mel_filters,
    mel_spectrogram,
    mel_to_hertz,
)
from tests.data.audio.test_decoding import write_audio

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"
RECORDS = json.loads((FIXTURES / "mel_spectrogram.json").read_text())["records"]


@pytest.fixture(scope="module")
def arrays():
    with np.load(FIXTURES / "mel_spectrogram.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["id"])
def test_equals_librosa(record, arrays):
    arguments = record["arguments"]
    wave, expected = (arrays[f"{record['id']}/{name}"] for name in ("audio", "mel"))
    ours = mel_spectrogram(
        wave,
        record["input"]["sample_rate"],
        arguments["window_size"],
        arguments["step_size"],
        arguments["n_mels"],
    ).numpy()
    # If more bands were requested than exist, the original repeated the last one.
    expected = expected[:, : arguments["n_mels"]].swapaxes(1, 2)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-6 * expected.max())


def test_equals_eager_in_a_graph_of_unknown_length(arrays):
    wave = arrays["mel_0/audio"]
    graph = tf.function(MelSpectrogram(), input_signature=[tf.TensorSpec([None, None])])
    np.testing.assert_allclose(
        graph(wave)[..., 0], mel_spectrogram(wave), rtol=1e-5, atol=1e-6
    )  # fmt: skip


@pytest.mark.parametrize("length", [20, 63, 128])
def test_length_truncates_or_repeats_the_last_window(arrays, length):
    wave = arrays["mel_0/audio"]
    whole = MelSpectrogram()(wave).numpy()
    fixed = MelSpectrogram(length=length)(wave).numpy()
    assert fixed.shape == (2, length, 80, 1)
    kept = min(length, whole.shape[1])
    np.testing.assert_array_equal(fixed[:, :kept], whole[:, :kept])
    assert (fixed[:, kept:] == whole[:, -1:]).all()


def test_a_tone_is_loudest_in_its_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype("float32")
    loudest = mel_spectrogram(tone).numpy()[5:-5].argmax(axis=-1)
    filters = mel_filters(16000, 512, 80)
    assert set(loudest) == {filters[1000 * 512 // 16000].argmax()}


def test_amplified_power_grows_with_the_square():
    wave = np.random.default_rng(0).normal(size=4000).astype("float32")
    louder = mel_spectrogram(Amplify(1.5)(wave))
    np.testing.assert_allclose(louder, 2.25 * mel_spectrogram(wave), rtol=1e-4)


def test_mel_scale_and_its_inverse():
    hertz = np.array([0, 100, 1000, 1500, 8000])
    np.testing.assert_allclose(mel_to_hertz(hertz_to_mel(hertz)), hertz)
    np.testing.assert_allclose(hertz_to_mel([1000, 6400]), [15, 42])


def test_a_step_shorter_than_a_sample_is_rejected():
    with pytest.raises(ValueError, match="0.01 ms"):
        mel_spectrogram(np.zeros(100), step_ms=0.01)


@pytest.mark.parametrize(("window", "step"), [(512, 256), (1280, 320)])
def test_windows_equal_those_of_lws(window, step):
    # Computed with the code of lws 1.2.8.
    with np.load(FIXTURES / "lws_stft.npz") as arrays:
        wave, amplitude = arrays["wave"], arrays[f"amplitude_{window}_{step}"]
    bands = amplitude @ mel_filters(16000, window, 80, 125, 7600)
    expected = np.clip((20 * np.log10(np.maximum(1e-5, bands)) - 20 + 100) / 100, 0, 1)
    ours = log_mel_features(wave, window_ms=window / 16, step_ms=step / 16)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("samples", [256, 257, 511, 512])
def test_number_of_log_mel_windows(samples):
    wave = np.ones((2, samples), "float32")
    assert log_mel_features(wave).shape == (2, -(-samples // 256) + 1, 80)


def test_bands_lie_between_their_limits():
    filters = mel_filters(16000, 512, 80, 125, 7600)
    hertz = np.arange(257) * 16000 / 512
    frequencies = hertz[filters.any(axis=1)]
    assert frequencies.min() > 125 and frequencies.max() < 7600
    assert filters[:, -1].any()


def test_log_mel_features_of_silence_and_of_noise():
    assert not log_mel_features(np.zeros(4000)).numpy().any()
    noise = np.random.default_rng(0).normal(size=(3, 4000))
    louder = [NormalizeLoudness()(noise * scale) for scale in (0.01, 1)]
    np.testing.assert_allclose(louder[0], louder[1], rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(louder[1]), 1)), 0.1, rtol=1e-5)
    x = LogMelFeatures(length=30)(louder[0]).numpy()
    assert x.shape == (3, 30, 80, 1)
    assert 0.2 < x[:, 2:16].mean() < 0.9


def test_log_mel_windows_are_a_multiple_of_the_step():
    with pytest.raises(ValueError, match="received 512 and 160 samples"):
        log_mel_features(np.zeros(4000), step_ms=10)


def test_features_of_a_file_do_not_depend_on_its_loudness(tmp_path):
    wave = np.sin(np.arange(16000) * 0.4) * np.linspace(0.1, 1, 16000)
    soft, loud = (
        audio_features(write_audio(tmp_path / f"{volume}.wav", [wave * volume]))
        for volume in (0.3, 0.9)
    )
    assert soft.shape == (64, 80) and soft.dtype == np.float32
    np.testing.assert_allclose(soft.max(axis=1), loud.max(axis=1), atol=1e-3)
    assert (np.diff(loud.max(axis=1)[2:-2]) > 0).all()


def test_stored_features_get_a_channel_axis():
    features = np.arange(24, dtype="float16").reshape(2, 3, 4)
    assert AddChannel()(features).shape == (2, 3, 4, 1)
    assert AddChannel()(features).dtype == tf.float32
