"""Mel spectrograms of waves, as steps of TensorFlow operations."""

import functools
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from .audio import samples_of_duration

# Slaney's mel scale: linear up to 1000 Hz, which are 15 mel, and 27 mel per factor of 6.4 above.
_LINEAR_HZ = 200 / 3
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27


def mel_spectrogram(wave, sample_rate=16000, window_ms=32, step_ms=16, mels=80):
    """Power in mel bands over time, as librosa's defaults compute it.

    Windows are centred on multiples of the step, with silence beyond the ends. Bands are triangles
    on Slaney's mel scale from 0 Hz to half the sample rate, of equal area.

    Args:
        wave: float `(..., samples)`.
        sample_rate: samples per second.
        window_ms, step_ms: length of a (Hann) window and distance between two, in milliseconds.
        mels: number of bands.

    Returns:
        float32 tensor `(..., 1 + samples // step, mels)`.

    Raises:
        ValueError: for a window or step shorter than a sample.
    """
    window = samples_of_duration(window_ms, sample_rate)
    step = samples_of_duration(step_ms, sample_rate)
    wave = tf.cast(wave, tf.float32)
    sides = [[0, 0]] * (wave.shape.rank - 1) + [[window // 2, window // 2]]
    frames = tf.signal.frame(tf.pad(wave, sides), window, step)
    spectrum = tf.signal.rfft(frames * _hann(window))
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    return tf.linalg.matmul(power, mel_filters(sample_rate, window, mels))


@dataclass(frozen=True)
class Amplify:
    """Multiplies a wave by `ratio`. Call with a float wave of any shape."""

    ratio: float

    def __call__(self, wave, seed=None):
        return tf.cast(wave, tf.float32) * self.ratio


@dataclass(frozen=True)
class MelSpectrogram:
    """Waves as images of one channel, see `mel_spectrogram`.

    Call with `(..., samples)`; gives float32 `(..., time, mels, 1)`.

    Attributes:
        sample_rate: samples per second.
        window_ms, step_ms: length of a window and distance between two, in milliseconds.
        mels: number of bands.
        length: windows to give: longer spectrograms are cut, the last window of shorter ones is
            repeated. None gives all there are.
    """

    sample_rate: int = 16000
    window_ms: float = 32
    step_ms: float = 16
    mels: int = 80
    length: int | None = None

    def __call__(self, wave, seed=None):
        x = mel_spectrogram(wave, self.sample_rate, self.window_ms, self.step_ms, self.mels)
        if self.length is not None:
            last = tf.shape(x)[-2] - 1
            x = tf.gather(x, tf.minimum(tf.range(self.length), last), axis=-2)
        return x[..., None]


@functools.cache
def mel_filters(sample_rate, window, mels):
    """Weights of the bins of a spectrum in every band, float32 `(window // 2 + 1, mels)`."""
    bins = np.arange(window // 2 + 1) * sample_rate / window
    edges = mel_to_hertz(np.linspace(0, hertz_to_mel(sample_rate / 2), mels + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - low) / (centre - low)
    falling = (high - bins[:, None]) / (high - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (high - low)).astype("float32")


@functools.cache
def _hann(window):
    """The periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype("float32")


def hertz_to_mel(hertz):
    """Slaney's mel scale at a frequency in Hz."""
    hertz = np.asarray(hertz, "float64")
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HZ, hertz / _LINEAR_HZ, above)


def mel_to_hertz(mel):
    """The frequency in Hz at a place of Slaney's mel scale."""
    mel = np.asarray(mel, "float64")
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)
