"""Sound: decoding of audio files and sound tracks, and the parts that belong to frames."""

import av
import numpy as np

from ..decoding.videos import DecodeError
from .tracks import NoSound, joined, mono, resampled_frames, sound_of
from .wav import open_wav

__all__ = ["NoSound", "audio_of_frames", "read_audio", "resampled", "samples_of_duration"]


def read_audio(path, sample_rate=16000):
    """Decodes an audio file, or the sound track of a video that players choose.

    Channels are averaged. Anything FFmpeg reads can be read: wav, mp3, flac, mp4 and so on. A
    track whose sample rate, channels or format change on the way is read through.

    The result holds the samples of the track, one after the other from its first: when they are
    heard is left out, so a track that begins later than the picture begins at once, and gaps are
    closed. `keras_video.data.video_sound` gives the sound that belongs to a video's frames.

    Args:
        path: the file.
        sample_rate: samples per second that the sound is resampled to; None keeps the file's.

    Returns:
        float32 array `(samples,)` from -1 to 1; what a lossy codec overshoots is cut off.

    Raises:
        FileNotFoundError: there is no such file.
        NoSound: the file has no sound track.
        DecodeError: the file is damaged.
    """
    wav = open_wav(path)
    if wav is not None and sample_rate in (None, wav.sample_rate):
        return wav[:]
    with sound_of(path) as (container, stream):
        frames = resampled_frames(container.decode(stream), sample_rate, keep_gaps=False)
        chunks = [mono(frame) for _, frame in frames]
    if not chunks:
        raise DecodeError(path, "its sound track is empty")
    return joined(chunks)


def resampled(wave, rate, sample_rate):
    """A wave `(samples,)` of `rate` samples per second, in float32 of `sample_rate` a second."""
    wave = np.ascontiguousarray(wave, np.float32)
    if rate == sample_rate:
        return wave
    frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
    frame.rate = rate
    resampler = av.AudioResampler(format="fltp", rate=sample_rate)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in frames])


def audio_of_frames(audio, frames, total_frames, length):
    """The part of a sound that belongs to the frames of each clip of a video.

    A clip's sound begins and ends with its first and last frame, in proportion to the length of
    the video. It is cut to `length`, or filled up with zeros.

    Args:
        audio: array of samples `(samples,)`, or of features in the order of time `(rows, ...)`;
            or what has an array's length, `shape`, `dtype` and slices, such as `WavSamples`.
        frames: integer array `(clips, frames)`, indices of the clips' frames.
        total_frames: frames of the whole video.
        length: samples, or rows, to give for every clip.

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
        found = audio[start : min(end, start + length)]
        part[: len(found)] = found
    return parts


def samples_of_duration(milliseconds, sample_rate):
    """Number of samples of a duration, rounded to the nearest even where it falls between."""
    samples = round(milliseconds * sample_rate / 1000)
    if samples < 1:
        raise ValueError(
            f"{milliseconds} ms at {sample_rate} samples per second are {samples} samples, "
            "expected at least 1"
        )
    return samples
