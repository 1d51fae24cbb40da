"""Audio tracks of videos as wav files, and spectrograms as arrays."""

import wave
from pathlib import Path

import numpy as np

from keras_video.data.audio.spectrogram import audio_features
from keras_video.data.audio.tracks import audio_of_video


def extract_wav(video, target, sample_rate=16000):
    """Writes the audio of a video as a wav file: one channel, 16 bits.

    It starts at the first frame and ends with the last, see `keras_video.data.audio_of_video`.

    Args:
        video: a video or an audio file.
        target: the new file.
        sample_rate: samples per second.

    Raises:
        DecodeError: there is no audio track, or it is damaged.
    """
    samples = np.round(audio_of_video(video, sample_rate) * 32767).astype("<i2")
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())


def extract_features(audio, target, sample_rate=16000, mels=80):
    """Writes the spectrogram of an audio track in the layout of the published audio rows.

    That of a video starts at the first frame and ends with the last, see
    `keras_video.data.audio_of_video`.

    Args:
        audio: an audio file, or a video with an audio track.
        target: the new `.npy` file, float32 `(rows, mels)`; see `log_mel_features`.
        sample_rate: samples per second that the audio is resampled to.
        mels: number of mel bands.

    Raises:
        DecodeError: there is no audio track, or it is damaged.
    """
    features = audio_features(audio, sample_rate, mels=mels)
    with Path(target).open("wb") as file:
        np.save(file, features)
