"""Mel spectrograms of waves, as TensorFlow transforms."""

import functools
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from .decoding import samples_of_duration
from .tracks import audio_of_video

# Slaney's mel scale: linear up to 1000 Hz, which are 15 mel, then 27 mel per factor of 6.4.
_LINEAR_HZ = 200 / 3
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27


def mel_spectrogram(wave, sample_rate=16000, window_ms=32, step_ms=16, mels=80):
    """Power in mel bands over time, as librosa's defaults compute it.

    Windows are centered on multiples of the step, with silence beyond the ends. Bands are triangles
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
    wave = _padded(wave, window // 2, window // 2)
    power = _power(tf.signal.frame(wave, window, step) * _hann(window))
    return tf.linalg.matmul(power, mel_filters(sample_rate, window, mels))


def log_mel_features(
    wave, sample_rate=16000, window_ms=32, step_ms=16, mels=80, low_hz=125, high_hz=7600
):
    """Loudness in mel bands over time, as in the stored features of the published audio rows.

    Amplitudes of overlapping windows as lws 1.2.8 cuts them (a root of a Hann window, the first
    window ending one step after the start), in mel bands, in decibels from -80 to 20 as numbers
    from 0 to 1.

    Args:
        wave: float `(..., samples)`; the published features are of whole files, scaled to a root
            mean square of 0.1 (`NormalizeLoudness`).
        sample_rate: samples per second.
        window_ms, step_ms: length of a window, a multiple of the step, and distance between two,
            in milliseconds.
        mels: number of bands.
        low_hz, high_hz: frequencies at which the first band begins and the last one ends.

    Returns:
        float32 tensor `(..., ceil(samples / step) + window / step - 1, mels)`, from 0 to 1.

    Raises:
        ValueError: for a window that is not a multiple of the step.
    """
    window = samples_of_duration(window_ms, sample_rate)
    step = samples_of_duration(step_ms, sample_rate)
    if window % step:
        raise ValueError(
            f"window_ms={window_ms}, step_ms={step_ms}: received {window} and {step} samples, "
            "expected a window that is a multiple of the step"
        )
    missing = -tf.shape(wave)[-1] % step
    wave = _padded(wave, window - step, missing + window - step)
    power = _power(tf.signal.frame(wave, window, step) * _root_hann(window, step))
    filters = mel_filters(sample_rate, window, mels, low_hz, high_hz)
    amplitude = tf.maximum(tf.linalg.matmul(tf.sqrt(power), filters), 1e-5)
    decibels = 20 / np.log(10).astype("float32") * tf.math.log(amplitude) - 20
    return tf.clip_by_value(decibels / 100 + 1, 0, 1)


def audio_features(path, sample_rate=16000, **settings):
    """The features of a whole audio file, computed like those of the published audio rows.

    Save them with `numpy.save` for `AudioFeatures`. The published files themselves were resampled
    by another library; their equality with ours was not verified.

    Args:
        path: an audio file; or a video, whose audio from the first frame to the last is used.
        sample_rate, **settings: see `log_mel_features`.

    Returns:
        float32 array `(rows, mels)`.

    Raises:
        FileNotFoundError, DecodeError: as `read_audio`.
    """
    wave = audio_of_video(path, sample_rate)
    with tf.device("CPU:0"):
        return log_mel_features(NormalizeLoudness()(wave), sample_rate, **settings).numpy()


@dataclass(frozen=True)
class Amplify:
    """Multiplies a wave by `ratio`. Call with a float wave of any shape."""

    ratio: float

    def __call__(self, wave, seed=None):
        return tf.cast(wave, tf.float32) * self.ratio


@dataclass(frozen=True)
class NormalizeLoudness:
    """Scales waves `(..., samples)` to a root mean square of `rms`; silence stays silent."""

    rms: float = 0.1

    def __call__(self, wave, seed=None):
        wave = tf.cast(wave, tf.float32)
        current = tf.sqrt(tf.reduce_mean(tf.square(wave), axis=-1, keepdims=True))
        return wave * (self.rms / tf.maximum(current, 1e-4))


@dataclass(frozen=True)
class MelSpectrogram:
    """Converts waves to images of one channel; see `mel_spectrogram`.

    Call with `(..., samples)`; returns float32 `(..., time, mels, 1)`.

    Attributes:
        sample_rate: samples per second.
        window_ms, step_ms: length of a window and distance between two, in milliseconds.
        mels: number of bands.
        length: number of windows: longer spectrograms are cut, the last window of shorter ones
            is repeated. None returns all windows.
    """

    sample_rate: int = 16000
    window_ms: float = 32
    step_ms: float = 16
    mels: int = 80
    length: int | None = None

    def __call__(self, wave, seed=None):
        x = mel_spectrogram(wave, self.sample_rate, self.window_ms, self.step_ms, self.mels)
        return _of_length(x, self.length)[..., None]


@dataclass(frozen=True)
class LogMelFeatures:
    """Converts waves to images of one channel from 0 to 1; see `log_mel_features`.

    Call with `(..., samples)`; returns float32 `(..., time, mels, 1)`. Attributes are those of
    `MelSpectrogram`, and the frequencies at which the bands begin and end.
    """

    sample_rate: int = 16000
    window_ms: float = 32
    step_ms: float = 16
    mels: int = 80
    low_hz: float = 125
    high_hz: float = 7600
    length: int | None = None

    def __call__(self, wave, seed=None):
        settings = (self.sample_rate, self.window_ms, self.step_ms, self.mels)
        x = log_mel_features(wave, *settings, self.low_hz, self.high_hz)
        return _of_length(x, self.length)[..., None]


@dataclass(frozen=True)
class AddChannel:
    """Stored spectrograms `(..., time, mels)` as images of one channel `(..., time, mels, 1)`."""

    def __call__(self, features, seed=None):
        return tf.cast(features, tf.float32)[..., None]


def _of_length(x, length):
    """Spectrograms `(..., time, mels)`, cut or padded with the last window to `length` windows."""
    if length is None:
        return x
    last = tf.shape(x)[-2] - 1
    return tf.gather(x, tf.minimum(tf.range(length), last), axis=-2)


def _padded(wave, before, after):
    """A float32 wave with silence before and after it."""
    wave = tf.cast(wave, tf.float32)
    return tf.pad(wave, [[0, 0]] * (wave.shape.rank - 1) + [[before, after]])


def _power(frames):
    spectrum = tf.signal.rfft(frames)
    return tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))


@functools.cache
def mel_filters(sample_rate, window, mels, low_hz=0.0, high_hz=None):
    """Weights of the spectrum bins in each band, float32 `(window // 2 + 1, mels)`."""
    bins = np.arange(window // 2 + 1) * sample_rate / window
    high_hz = sample_rate / 2 if high_hz is None else high_hz
    edges = mel_to_hertz(np.linspace(hertz_to_mel(low_hz), hertz_to_mel(high_hz), mels + 2))
    low, center, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - low) / (center - low)
    falling = (high - bins[:, None]) / (high - center)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (high - low)).astype("float32")


@functools.cache
def _hann(window):
    """The periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype("float32")


@functools.cache
def _root_hann(window, step):
    """Root of a half-sample-shifted Hann window, whose squares sum to 1 over the windows."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(window) + 0.5) / window)
    return np.sqrt(hann * 2 * step / window).astype("float32")


def hertz_to_mel(hertz):
    """Slaney's mel scale at a frequency in Hz."""
    hertz = np.asarray(hertz, "float64")
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HZ, hertz / _LINEAR_HZ, above)


def mel_to_hertz(mel):
    """The frequency in Hz at a position on Slaney's mel scale."""
    mel = np.asarray(mel, "float64")
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)
