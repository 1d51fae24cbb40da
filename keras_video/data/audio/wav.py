"""Wav files of 16-bit samples, the storage format of audio for training.

Their samples are uncompressed, so the part of a clip is read without the rest of the file, whereas
other formats have to be decoded from the start.
"""

import wave

import numpy as np

from ..shard_paths import mapped, open_bytes

# FFmpeg's conversion of 16-bit samples to floats.
_SCALE = np.float32(1 / 32768)


class WavSamples:
    """The audio of an open wav file: `audio[start:stop]` reads float32 samples from -1 to 1.

    Channels are averaged. Returned by `open_wav`.

    Attributes:
        sample_rate: samples per second.
        shape: `(samples,)`.
        dtype: float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, samples, sample_rate):
        """`samples`: 16-bit integers `(samples, channels)`."""
        self._samples = samples
        self.sample_rate = sample_rate
        self.shape = samples.shape[:1]

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        samples = self._samples[part].astype(np.float32) * _SCALE
        return samples.mean(axis=1, dtype=np.float32)


def open_wav(path):
    """Opens a whole wav file of 16-bit samples.

    Returns:
        A `WavSamples`, or None if the file is of another format, damaged, empty or missing: a
        decoder then reads it or reports what is wrong.
    """
    try:
        with open_bytes(path) as file, wave.open(file) as header:
            if header.getsampwidth() != 2 or not header.getnframes():
                return None
            # The reader stops where the samples begin. A file that ends early cannot be mapped.
            shape = (header.getnframes(), header.getnchannels())
            samples = mapped(path, "<i2", shape, file.tell())
            return WavSamples(samples, header.getframerate())
    except (OSError, EOFError, ValueError, wave.Error):
        return None
