"""Sound tracks on the clock of their file, which the frames of a video share."""

import contextlib
from dataclasses import dataclass

import av
import numpy as np

from ..decoding.errors import DecodeError
from ..decoding.opening import choose_audio_stream, choose_video_stream, open_container
from ..decoding.videos import open_video
from ..shard_paths import exists

# Samples that leave the resampler at a time: many, since each time takes as long as decoding one
# packet does.
_CHUNK = 65536
# Timestamps that differ by less from what the samples before them say are taken for rounded. In
# seconds, as FFmpeg's resampler has it.
_GAP = 0.1
# A timestamp that goes back by more seconds begins a new clock: another file was appended.
_NEW_CLOCK = 1


class NoSound(DecodeError):
    """A file without a sound track."""


@dataclass(frozen=True, eq=False)
class SoundTrack:
    """The sound of a file, at the times at which it is heard. Made by `read_track`.

    Attributes:
        sample_rate: samples per second.
        runs: pairs `(first, samples)` in the order of the file: where on the file's clock a run
            of sound without gaps begins, counted in samples, and float32 `(count,)`, -1 to 1.
    """

    sample_rate: int
    runs: tuple = ()

    def between(self, start, stop):
        """The sound from `start` to before `stop` seconds of the file's clock.

        Returns:
            float32 `(round(stop * sample_rate) - round(start * sample_rate),)`, zeros where there
            is no sound.
        """
        start, stop = round(start * self.sample_rate), round(stop * self.sample_rate)
        wave = np.zeros(max(0, stop - start), np.float32)
        for first, samples in self.runs:
            found = samples[max(0, start - first) : max(0, stop - first)]
            place = max(0, first - start)
            wave[place : place + len(found)] = found
        return wave


def read_track(path, sample_rate=16000):
    """Decodes the sound track of a file, with the times at which it is heard.

    Args:
        path, sample_rate: see `keras_video.data.read_audio`.

    Returns:
        A `SoundTrack`.

    Raises:
        FileNotFoundError, NoSound, DecodeError: as `read_audio`.
    """
    with sound_of(path) as (container, stream):
        starts, runs = [], []
        for start, frame in resampled_frames(container.decode(stream), sample_rate):
            if start is not None:
                starts.append(start)
                runs.append([])
            runs[-1].append(mono(frame))
            sample_rate = frame.sample_rate
    if not runs:
        raise DecodeError(path, "its sound track is empty")
    pairs = zip(starts, runs, strict=True)
    return SoundTrack(
        sample_rate, tuple((round(start * sample_rate), joined(run)) for start, run in pairs)
    )


def video_sound(path, sample_rate=16000):
    """The sound of a video from the beginning of its first frame to the end of its last.

    Args:
        path: a video file, or a sound file, which is read as a whole.
        sample_rate: samples per second that the sound is resampled to.

    Returns:
        float32 `(samples,)` from -1 to 1, zeros where frames are shown without sound. What is heard
        before the first frame or after the last belongs to no frame and is left out.

    Raises:
        FileNotFoundError, NoSound, DecodeError: as `read_audio`.
    """
    track = read_track(path, sample_rate)
    if not has_video(path):
        return joined([samples for _, samples in track.runs])
    video = open_video(path)
    return track.between(video.times[0], video.end_time)


def frame_times(path, total_frames=None):
    """When the frames of a video are shown.

    Args:
        path: a video file.
        total_frames: number of frames that it counts as; where the file holds another number,
            frames are spread evenly over its time. None: as many as it holds.

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
def sound_of(path):
    """The container and the sound stream of a file that players choose.

    Raises:
        FileNotFoundError, NoSound, DecodeError: as `read_audio`.
    """
    with _open(path) as container:
        stream = choose_audio_stream(container)
        if stream is None:
            raise NoSound(path, "it has no sound track")
        yield container, stream


def has_video(path):
    """Whether a file has moving pictures, rather than sound and a cover at most."""
    with _open(path) as container:
        return choose_video_stream(container) is not None


@contextlib.contextmanager
def _open(path):
    if not exists(path):
        raise FileNotFoundError(f"received {path}, expected a sound file; there is none")
    try:
        with open_container(path) as container:
            yield container
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(path, str(error)) from error


def resampled_frames(frames, rate=None, layout=None, *, frame_size=_CHUNK, keep_gaps=True):
    """Decoded sound at one sample rate, whatever it changes to on the way.

    Args:
        frames: iterable of `av.AudioFrame`, decoded in order.
        rate: samples per second; None takes those of the first frame.
        layout: channels to mix to, such as "stereo"; None leaves them.
        frame_size: samples of what is given; the last of a run may have fewer.
        keep_gaps: whether timestamps that jump begin a new run.

    Yields:
        `(start, frame)`, frames of format "fltp". A number says that a run of sound without gaps
        begins with this frame: the seconds on the file's clock. None goes on with the run.
    """
    resampler, start = None, None
    for begins, changed, frame in _marked(frames, keep_gaps):
        rate = rate or frame.sample_rate
        if begins is not None or changed:
            for made in _flushed(resampler):
                yield start, made
                start = None
            resampler = av.AudioResampler("fltp", layout, rate, frame_size)
        start = start if begins is None else begins
        for made in resampler.resample(frame):
            yield start, made
            start = None
    for made in _flushed(resampler):
        yield start, made
        start = None


def mono(frame):
    """A resampled frame as one channel, float32 `(samples,)`.

    Channels are averaged here: FFmpeg's own mix of two channels is louder by a half.
    """
    return frame.to_ndarray().mean(axis=0, dtype=np.float32)


def joined(parts):
    """One wave of several; what a lossy codec overshoots is cut off."""
    return np.clip(np.concatenate(parts), -1, 1)


def _flushed(resampler):
    return [] if resampler is None else resampler.resample(None)


def _marked(frames, keep_gaps):
    """`(start, changed, frame)`: where runs begin, and whether the form of the samples changes."""
    source, expected, clock = None, None, 0.0
    for frame in frames:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        stamped = expected if frame.time is None else frame.time + clock
        if expected is not None and expected - stamped > _NEW_CLOCK:
            clock += expected - stamped
            stamped = expected
        first = expected is None
        begins = None
        if first or (keep_gaps and abs(stamped - expected) > _GAP):
            begins = expected = stamped or 0.0
        yield begins, source is not None and form != source, frame
        source = form
        expected += frame.samples / frame.sample_rate
