import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.spectrogram import (
    Amplify,
    MelSpectrogram,
    hertz_to_mel,
    mel_filters,
    mel_spectrogram,
    mel_to_hertz,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "data"
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
    # Where more bands were asked for than there are, the original repeated the last one.
    expected = expected[:, : arguments["n_mels"]].swapaxes(1, 2)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-6 * expected.max())


def test_is_the_same_in_a_graph_of_unknown_length(arrays):
    wave = arrays["mel_0/audio"]
    graph = tf.function(MelSpectrogram(), input_signature=[tf.TensorSpec([None, None])])
    np.testing.assert_allclose(
        graph(wave)[..., 0], mel_spectrogram(wave), rtol=1e-5, atol=1e-6
    )  # fmt: skip


@pytest.mark.parametrize("length", [20, 63, 128])
def test_length_cuts_or_repeats_the_last_window(arrays, length):
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


def test_refuses_a_step_shorter_than_a_sample():
    with pytest.raises(ValueError, match="0.01 ms"):
        mel_spectrogram(np.zeros(100), step_ms=0.01)
