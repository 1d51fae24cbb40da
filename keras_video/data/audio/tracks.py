"""Audio tracks on the clock of their file, which they share with the video frames."""

import contextlib
from dataclasses import dataclass

import av
import numpy as np

from ..decoding.errors import DecodeError
from ..decoding.opening import choose_audio_stream, choose_video_stream, open_container
from ..decoding.videos import open_video
from ..shard_paths import exists

# Samples per resampler output: many, since each call costs as much as decoding one packet.
_CHUNK = 65536
# Timestamps that deviate by less from the preceding samples count as rounded. In seconds, the
# default of FFmpeg's resampler.
_GAP = 0.1
# A timestamp that jumps back by more seconds starts a new clock: another file was appended.
_NEW_CLOCK = 1


class NoAudioError(DecodeError):
    """A file without an audio track."""


@dataclass(frozen=True, eq=False)
class AudioTrack:
    """The audio of a file with its timestamps. Returned by `read_track`.

    Attributes:
        sample_rate: samples per second.
        runs: pairs `(first, samples)` in the order of the file: start of a run without gaps
            on the file's clock, counted in samples, and float32 `(count,)`, -1 to 1.
    """

    sample_rate: int
    runs: tuple = ()

    def between(self, start, stop):
        """The audio from `start` (inclusive) to `stop` (exclusive), in seconds on the file's clock.

        Returns:
            float32 `(round(stop * sample_rate) - round(start * sample_rate),)`, zeros where there
            is no audio.
        """
        start, stop = round(start * self.sample_rate), round(stop * self.sample_rate)
        wave = np.zeros(max(0, stop - start), np.float32)
        for first, samples in self.runs:
            segment = samples[max(0, start - first) : max(0, stop - first)]
            position = max(0, first - start)
            wave[position : position + len(segment)] = segment
        return wave


def read_track(path, sample_rate=16000):
    """Decodes the audio track of a file, with its timestamps.

    Args:
        path, sample_rate: see `keras_video.data.read_audio`.

    Returns:
        An `AudioTrack`.

    Raises:
        FileNotFoundError, NoAudioError, DecodeError: as `read_audio`.
    """
    with open_audio_stream(path) as (container, stream):
        starts, runs = [], []
        for start, frame in resampled_frames(container.decode(stream), sample_rate):
            if start is not None:
                starts.append(start)
                runs.append([])
            runs[-1].append(mono(frame))
            sample_rate = frame.sample_rate
    if not runs:
        raise DecodeError(path, "its audio track is empty")
    pairs = zip(starts, runs, strict=True)
    return AudioTrack(
        sample_rate, tuple((round(start * sample_rate), joined(run)) for start, run in pairs)
    )


def audio_of_video(path, sample_rate=16000):
    """The audio of a video from the start of its first frame to the end of its last.

    Args:
        path: a video file, or an audio file, which is read completely.
        sample_rate: sample rate that the audio is resampled to.

    Returns:
        float32 `(samples,)` from -1 to 1, zeros where frames have no audio. Audio before
        the first frame or after the last belongs to no frame and is dropped.

    Raises:
        FileNotFoundError, NoAudioError, DecodeError: as `read_audio`.
    """
    track = read_track(path, sample_rate)
    if not has_video(path):
        return joined([samples for _, samples in track.runs])
    video = open_video(path)
    return track.between(video.times[0], video.end_time)


def frame_times(path, total_frames=None):
    """Presentation times of the frames of a video.

    Args:
        path: a video file.
        total_frames: number of frames to assume; if the file has another number, frames are
            spread evenly over its duration. None uses the number in the file.

    Returns:
        Two float64 arrays `(total_frames,)`: seconds on the file's clock at which each frame
        begins and ends.
    """
    video = open_video(path)
    times = video.times
    if total_frames not in (None, len(times)):
        times = np.linspace(times[0], video.end_time, total_frames, endpoint=False)
    return times, np.append(times[1:], video.end_time)


@contextlib.contextmanager
def open_audio_stream(path):
    """The container of a file and the audio stream that players choose.

    Raises:
        FileNotFoundError, NoAudioError, DecodeError: as `read_audio`.
    """
    with _open(path) as container:
        stream = choose_audio_stream(container)
        if stream is None:
            raise NoAudioError(path, "it has no audio track")
        yield container, stream


def has_video(path):
    """Whether a file has a video stream, other than cover art."""
    with _open(path) as container:
        return choose_video_stream(container) is not None


@contextlib.contextmanager
def _open(path):
    if not exists(path):
        raise FileNotFoundError(f"received {path}, expected an audio file; there is none")
    try:
        with open_container(path) as container:
            yield container
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(path, str(error)) from error


def resampled_frames(frames, rate=None, layout=None, *, frame_size=_CHUNK, keep_gaps=True):
    """Decoded audio at one sample rate, even if the format changes within the stream.

    Args:
        frames: iterable of `av.AudioFrame`, decoded in order.
        rate: samples per second; None uses that of the first frame.
        layout: channels to mix to, such as "stereo"; None leaves them.
        frame_size: samples per yielded frame; the last of a run may have fewer.
        keep_gaps: whether timestamps that jump begin a new run.

    Yields:
        `(start, frame)`, frames of format "fltp". `start`, in seconds on the file's clock, marks
        the first frame of a run without gaps; None continues the run.
    """
    resampler, start = None, None
    for begins, changed, frame in _marked(frames, keep_gaps):
        rate = rate or frame.sample_rate
        if begins is not None or changed:
            for resampled in _flushed(resampler):
                yield start, resampled
                start = None
            resampler = av.AudioResampler("fltp", layout, rate, frame_size)
        start = start if begins is None else begins
        for resampled in resampler.resample(frame):
            yield start, resampled
            start = None
    for resampled in _flushed(resampler):
        yield start, resampled
        start = None


def mono(frame):
    """A resampled frame as one channel, float32 `(samples,)`.

    Channels are averaged here: FFmpeg's own mix of two channels is louder by a half.
    """
    return frame.to_ndarray().mean(axis=0, dtype=np.float32)


def joined(parts):
    """Concatenates waves; overshoots of lossy codecs are clipped."""
    return np.clip(np.concatenate(parts), -1, 1)


def _flushed(resampler):
    return [] if resampler is None else resampler.resample(None)


def _marked(frames, keep_gaps):
    """`(start, changed, frame)`: where runs begin, and whether the sample format changes."""
    source, expected, clock = None, None, 0.0
    for frame in frames:
        sample_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        stamped = expected if frame.time is None else frame.time + clock
        if expected is not None and expected - stamped > _NEW_CLOCK:
            clock += expected - stamped
            stamped = expected
        first = expected is None
        begins = None
        if first or (keep_gaps and abs(stamped - expected) > _GAP):
            begins = expected = stamped or 0.0
        yield begins, source is not None and sample_format != source, frame
        source = sample_format
        expected += frame.samples / frame.sample_rate
