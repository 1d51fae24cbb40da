"""Decoding of audio files and audio tracks, and the segments that belong to frames."""

import av
import numpy as np

from ..decoding.videos import DecodeError
from .tracks import NoAudioError, joined, mono, open_audio_stream, resampled_frames
from .wav import open_wav

__all__ = ["NoAudioError", "audio_of_frames", "read_audio", "resampled", "samples_of_duration"]


def read_audio(path, sample_rate=16000):
    """Decodes an audio file, or the audio track of a video that players choose.

    Channels are averaged. Anything FFmpeg reads can be read: wav, mp3, flac, mp4 and so on. A
    track whose sample rate, channels or format change midway is read to its end.

    The result holds the samples of the track, one after the other from its first. Timestamps are
    ignored: a delay relative to the video is dropped, and gaps are closed.
    `keras_video.data.audio_of_video` returns the audio that belongs to a video's frames.

    Args:
        path: the file.
        sample_rate: sample rate that the audio is resampled to; None keeps the file's.

    Returns:
        float32 array `(samples,)` from -1 to 1; overshoots of lossy codecs are clipped.

    Raises:
        FileNotFoundError: there is no such file.
        NoAudioError: the file has no audio track.
        DecodeError: the file is damaged.
    """
    wav = open_wav(path)
    if wav is not None and sample_rate in (None, wav.sample_rate):
        return wav[:]
    with open_audio_stream(path) as (container, stream):
        frames = resampled_frames(container.decode(stream), sample_rate, keep_gaps=False)
        chunks = [mono(frame) for _, frame in frames]
    if not chunks:
        raise DecodeError(path, "its audio track is empty")
    return joined(chunks)


def resampled(wave, rate, sample_rate):
    """A wave `(samples,)` of `rate` samples per second, resampled to `sample_rate`, float32."""
    wave = np.ascontiguousarray(wave, np.float32)
    if rate == sample_rate:
        return wave
    frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
    frame.rate = rate
    resampler = av.AudioResampler(format="fltp", rate=sample_rate)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in frames])


def audio_of_frames(audio, frames, total_frames, length):
    """The segment of an audio signal that belongs to the frames of each clip of a video.

    A clip's audio begins and ends with its first and last frame, in proportion to the length of
    the video. It is cut to `length`, or padded with zeros.

    Args:
        audio: array of samples `(samples,)`, or of features in the order of time `(rows, ...)`;
            or an object with an array's length, `shape`, `dtype` and slicing, such as `WavSamples`.
        frames: integer array `(clips, frames)`, indices of the clips' frames.
        total_frames: frames of the whole video.
        length: number of samples, or rows, per clip.

    Returns:
        Array `(clips, length)` or `(clips, length, ...)` of the type of `audio`.

    Raises:
        ValueError: if `frames` is not of rank 2, or `total_frames` or `length` are less than 1.
    """
    frames = np.asarray(frames)
    if frames.ndim != 2:
        raise ValueError(f"received frames of shape {frames.shape}, expected (clips, frames)")
    if total_frames < 1 or length < 1:
        raise ValueError(
            f"received total_frames={total_frames}, length={length}, expected at least 1"
        )
    parts = np.zeros((len(frames), length, *audio.shape[1:]), audio.dtype)
    for part, clip in zip(parts, frames, strict=True):
        start, end = (
            round((int(frame) + 1) / total_frames * len(audio)) for frame in (clip[0], clip[-1])
        )
        start = max(start, 0)
        segment = audio[start : min(end, start + length)]
        part[: len(segment)] = segment
    return parts


def samples_of_duration(milliseconds, sample_rate):
    """Number of samples of a duration, rounded half to even."""
    samples = round(milliseconds * sample_rate / 1000)
    if samples < 1:
        raise ValueError(
            f"{milliseconds} ms at {sample_rate} samples per second are {samples} samples, "
            "expected at least 1"
        )
    return samples
