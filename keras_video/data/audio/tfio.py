"""Audio decoding by tensorflow-io instead of FFmpeg."""

from pathlib import Path

import numpy as np

from ..decoding.videos import DecodeError
from ..shard_paths import is_in_shard
from .decoding import resampled

SUFFIXES = (".flac", ".mp3", ".ogg", ".wav")


def read_audio_with_tfio(path, sample_rate=16000):
    """Decodes an audio file; see `keras_video.data.read_audio`.

    Args:
        path: a wav, mp3, flac or ogg file.
        sample_rate: sample rate that the audio is resampled to; None keeps the file's.

    Returns:
        float32 array `(samples,)` from -1 to 1.

    Raises:
        FileNotFoundError: there is no such file.
        DecodeError: the file is damaged or of another type.
        ImportError: tensorflow-io is not installed.
    """
    tfio = _tensorflow_io()
    if is_in_shard(path):
        raise DecodeError(path, "decoder='tfio' does not support shards; expected decoder='av'")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"received {path}, expected an audio file; there is none")
    if path.suffix.lower() not in SUFFIXES:
        raise DecodeError(path, f"decoder='tfio' reads {', '.join(SUFFIXES)} files only")
    import tensorflow as tf

    try:
        tensor = tfio.audio.AudioIOTensor(str(path))
        samples = _unit_range(tensor.to_tensor().numpy())
        rate = int(tensor.rate.numpy())
    except (tf.errors.OpError, ValueError) as error:
        raise DecodeError(path, str(error)) from error
    if not samples.size:
        raise DecodeError(path, "its audio track is empty")
    wave = samples.mean(axis=1, dtype=np.float32)
    # Not by tensorflow-io, whose resampler delays by a quarter of a millisecond.
    return np.clip(resampled(wave, rate, sample_rate or rate), -1, 1)


def _unit_range(samples):
    """Samples of any type as float32 from -1 to 1."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return samples.astype(np.float32)


def _tensorflow_io():
    try:
        import tensorflow_io
    except ImportError as error:
        raise ImportError(
            "decoder='tfio' needs tensorflow-io: pip install keras-video[tfio]"
        ) from error
    return tensorflow_io
