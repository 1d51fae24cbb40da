"""Audio as a source of the pipeline: decoded files, and precomputed features.

See `keras_video.data.sources.videos`: a source opens a record and then reads clips by frame
number. The audio of a clip begins and ends with its first and last frame: by their timestamps if
the audio is a track of the video; in proportion to the length of the video if the audio is a
separate file, as in the published training runs.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Literal

import numpy as np
from absl import logging

from ..annotations.formats import frame_lines, video_lines
from ..decoding.videos import DecodeError
from ..shard_paths import exists, is_in_shard, open_bytes
from ..sources.videos import VIDEO_SUFFIXES, files_in
from .decoding import NoAudioError, audio_of_frames, read_audio
from .tfio import read_audio_with_tfio
from .tracks import AudioTrack, frame_times, has_video, read_track
from .wav import open_wav

AUDIO_SUFFIXES = frozenset((".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"))
_DECODERS = {"av": read_audio, "tfio": read_audio_with_tfio}


@dataclasses.dataclass(frozen=True)
class OpenedWaveform:
    """The audio of one record.

    Attributes:
        audio: samples `(samples,)`, or features `(rows, mels)`, in the order of time; an array
            or an object that can be sliced like one.
        total_frames: number of frames that samplers may choose from.
        length: samples, or rows, of a clip.
    """

    audio: np.ndarray
    total_frames: int
    length: int

    def read(self, indices):
        """The audio of clips, float32 `(clips, length)` or `(clips, length, mels)`."""
        parts = audio_of_frames(self.audio, indices, self.total_frames, self.length)
        return parts.astype(np.float32, copy=False)


@dataclasses.dataclass(frozen=True, eq=False)
class OpenedTrack:
    """The audio of a video's frames.

    Attributes:
        track: the audio.
        begins, ends: start and end of each frame, in seconds on the clock of the track.
        length: samples of a clip.
    """

    track: AudioTrack
    begins: np.ndarray
    ends: np.ndarray
    length: int

    @property
    def total_frames(self):
        """Number of frames that samplers may choose from."""
        return len(self.begins)

    def read(self, indices):
        """The audio of clips, float32 `(clips, length)`, zeros where there is none."""
        indices = np.asarray(indices)
        parts = np.zeros((len(indices), self.length), np.float32)
        longest = self.length / self.track.sample_rate
        for part, clip in zip(parts, indices, strict=True):
            start, stop = self.begins[clip[0]], self.ends[clip[-1]]
            segment = self.track.between(start, min(stop, start + longest))[: self.length]
            part[: len(segment)] = segment
        return parts


@dataclasses.dataclass(frozen=True)
class Waveforms:
    """Audio files, or the audio tracks of videos: float32 waves `(clips, length)`.

    Of several tracks, the one that players choose is read. Frames are those of the video if the
    record states their number, or if the file is a video; otherwise the audio is divided into
    frames at `frame_rate`. The audio of a video is aligned with its frames: silence where the track
    begins later, ends earlier or has a gap.

    Args:
        length: samples of a clip; shorter clips are padded with zeros.
        sample_rate: sample rate that the audio is resampled to.
        frame_rate: frames per second of audio that belongs to no video.
        decoder: `"av"`, which reads whatever FFmpeg reads; or `"tfio"`, which needs the extra
            `tfio` and reads wav, mp3, flac and ogg files.
        silence: whether a missing file, or a video without an audio track, is silence (as in
            the published training runs; a warning names it) instead of an error.

    Raises:
        ValueError: for numbers below 1, or another decoder.
    """

    length: int = 32000
    sample_rate: int = 16000
    frame_rate: float = 25
    decoder: Literal["av", "tfio"] = "av"
    silence: bool = False

    annotation_format = staticmethod(video_lines)
    dtype = "float32"

    def __post_init__(self):
        _check_positive(self, "length", "sample_rate", "frame_rate")
        if self.decoder not in _DECODERS:
            raise ValueError(f"received decoder={self.decoder!r}, expected 'av' or 'tfio'")

    def open(self, record, rng=None):
        if self._is_video(record.path):
            return self.open_video(record.path, record.total_frames)
        audio = self._part_by_part(record.path)
        if audio is None:
            audio = self.decode(record.path)
        frames = record.total_frames or self._frames(audio)
        return OpenedWaveform(audio, frames, self.length)

    def open_video(self, path, total_frames=None):
        """Opens the audio of a video's frames.

        Args:
            path: the video.
            total_frames: see `keras_video.data.audio.tracks.frame_times`.

        Raises:
            DecodeError: it cannot be read.
        """
        begins, ends = frame_times(path, total_frames)
        nothing = AudioTrack(self.sample_rate)
        track = self._or_silence(path, lambda: read_track(path, self.sample_rate), nothing)
        return OpenedTrack(track, begins, ends, self.length)

    def _is_video(self, path):
        if self.decoder != "av" or Path(path).suffix.lower() not in VIDEO_SUFFIXES:
            return False
        return exists(path) and has_video(path)

    def _part_by_part(self, path):
        """The audio of a file that need not be read completely, or None."""
        wav = open_wav(path) if self.decoder == "av" else None
        return wav if wav is not None and wav.sample_rate == self.sample_rate else None

    def decode(self, path):
        """The whole audio of a file, float32 `(samples,)`.

        Raises:
            DecodeError: it cannot be read.
        """
        read = _DECODERS[self.decoder]
        return self._or_silence(path, lambda: read(path, self.sample_rate), np.zeros(0, np.float32))

    def _or_silence(self, path, read, nothing):
        try:
            return read()
        except FileNotFoundError:
            problem = NoAudioError(path, "there is no such file")
        except NoAudioError as error:
            problem = error
        return _silence(problem, nothing, self.silence)

    def _frames(self, audio):
        return max(1, round(len(audio) / self.sample_rate * self.frame_rate))

    def shape(self, clips, clip_len):
        return (clips, self.length)

    def find(self, folder, follow_links=True):
        return files_in(folder, AUDIO_SUFFIXES | VIDEO_SUFFIXES, follow_links)


@dataclasses.dataclass(frozen=True)
class AudioFeatures:
    """Spectrograms stored as `.npy` files of `(rows, mels)`: float32 `(clips, length, mels)`.

    Annotations are lines `path frames label [label ...]`: the number of frames of the
    video that the features belong to.

    Args:
        length: rows of a clip; shorter clips are padded with zeros.
        mels: bands that all files must have.
        suffix: suffix of the files; it is appended to paths without it.
        silence: whether a missing file is silence, see `Waveforms`.

    Raises:
        ValueError: for numbers below 1.
    """

    length: int = 128
    mels: int = 80
    suffix: str = ".npy"
    silence: bool = False

    annotation_format = staticmethod(frame_lines)
    dtype = "float32"
    several_files = False

    def __post_init__(self):
        _check_positive(self, "length", "mels")

    def open(self, record, rng=None):
        if not record.total_frames:
            raise ValueError(
                f"{record.source}: received total_frames={record.total_frames}, expected a line "
                "'path frames label [label ...]' with at least one frame"
            )
        return OpenedWaveform(self.load(record.path), record.total_frames, self.length)

    def files(self, record):
        """The file of a record, with its suffix."""
        return [self._with_suffix(record.path)]

    def _with_suffix(self, path):
        return path if path.endswith(self.suffix) else path + self.suffix

    def load(self, path):
        """The features of a file, `(rows, mels)`.

        Raises:
            DecodeError: it cannot be read, or has another shape.
        """
        path = self._with_suffix(path)
        if not is_in_shard(path) and not Path(path).is_file():
            error = DecodeError(path, "there is no such file")
            return _silence(error, np.zeros((0, self.mels), np.float32), self.silence)
        try:
            features = _load_array(path)
        except (OSError, ValueError, EOFError) as error:
            raise DecodeError(path, f"not an array of numbers: {error}") from error
        if getattr(features, "ndim", 0) != 2 or features.shape[1] != self.mels:
            shape = getattr(features, "shape", type(features).__name__)
            raise DecodeError(path, f"expected an array (rows, {self.mels}), found {shape}")
        return features

    def shape(self, clips, clip_len):
        return (clips, self.length, self.mels)

    def find(self, folder, follow_links=True):
        return files_in(folder, {self.suffix}, follow_links)


def _load_array(path):
    if not is_in_shard(path):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    with open_bytes(path) as file:
        return np.load(file, allow_pickle=False)


def _silence(error, nothing, allowed):
    """`nothing` where silence is allowed; otherwise raises the error."""
    if not allowed:
        raise error
    _warn_once(str(error))
    return nothing


@functools.cache
def _warn_once(message):
    logging.warning("%s: treated as silence", message)


def _check_positive(source, *names):
    for name in names:
        if not getattr(source, name) > 0:
            kind = type(source).__name__
            raise ValueError(f"{kind}: received {name}={getattr(source, name)}, expected above 0")
