"""Smaller copies of videos, which load faster."""

import contextlib
import os
from fractions import Fraction

import av
import numpy as np

from keras_video.data.audio.tracks import NoAudioError, open_audio_stream
from keras_video.data.decoding.errors import DecodeError
from keras_video.data.decoding.opening import decoded, opened
from keras_video.data.decoding.sequential import frame_rate, frames_in_order
from keras_video.data.decoding.videos import open_video
from keras_video.data.prepare.audio_copies import CopiedAudio, EncodedAudio, Refused

# Matrix and range that players assume for small videos: BT.601, not the full range.
_BT601, _LIMITED = 6, 1


def resize_video(video, target, short_side=256, *, quality=20, keyframe_every=None):
    """Re-encodes a video (H.264) with a smaller short side, with its audio.

    Frames keep their number, their times and the shape of their pixels. They are rotated by the
    rotation metadata and not enlarged. An odd side loses its last line. Of several audio tracks
    the one that players choose is kept: copied if the container of the new file supports its codec,
    otherwise re-encoded (AAC). Its timing is unchanged.

    Args:
        video: the file.
        target: the new file, such as `a.mp4`.
        short_side: length in pixels of the short side, even.
        quality: constant rate factor of the encoder; smaller is better, 18 to 28 is usual.
        keyframe_every: largest distance between keyframes in frames. Small values make larger
            files in which sparse frames are read faster. None leaves it to the encoder.

    Raises:
        DecodeError: the video or its audio is damaged, or cannot be written.
        ValueError: for an odd short side.
    """
    if short_side % 2 or short_side < 2:
        raise ValueError(f"received short_side={short_side}, expected an even number")
    # The AVX-512 lookahead of x264 is not deterministic.
    options = {"crf": str(quality), "preset": "veryfast", "x264-params": "cpu-independent=1"}
    if keyframe_every is not None:
        options["g"] = str(keyframe_every)
    video, target = os.fspath(video), os.fspath(target)
    for audio_writer in (CopiedAudio, EncodedAudio):
        try:
            return _write(video, target, short_side, options, audio_writer)
        except Refused as error:
            problem = error
    raise DecodeError(video, f"it cannot be written to {target}: {problem}") from problem


def _write(video, target, short_side, options, audio_writer):
    """Writes the new file, with its audio written by the class `audio_writer`."""
    pictures = _Pictures(video, short_side)
    try:
        with open_audio_stream(video) as (_, track), _writing(target) as out:
            stream = pictures.add_stream(out, options)
            _interleave(out, pictures.packets(stream), audio_writer(out, video, track).packets())
    except NoAudioError:
        with _writing(target) as out:
            stream = pictures.add_stream(out, options)
            _interleave(out, pictures.packets(stream), iter(()))


@contextlib.contextmanager
def _writing(target):
    """A new file; errors of its writer, up to the end of the file, become `Refused`."""
    try:
        with av.open(target, "w") as out:
            yield out
    except (av.error.FFmpegError, RuntimeError, ValueError) as error:
        if isinstance(error, DecodeError):
            raise
        raise Refused(str(error)) from error


def _interleave(out, pictures, audio):
    """Writes packets in order of time, video first: it determines the content of the header."""
    waiting = next(audio, None)
    for time, packets in pictures:
        out.mux(packets)
        while waiting is not None and waiting[0] <= time:
            out.mux(waiting[1])
            waiting = next(audio, None)
    while waiting is not None:
        out.mux(waiting[1])
        waiting = next(audio, None)


class _Pictures:
    """The frames of a video, encoded at a smaller size with their original times."""

    def __init__(self, video, short_side):
        self._path, self._video = video, open_video(video)
        with opened(video) as (container, stream):
            first = next(decoded(container, stream))
            self._clock = stream.time_base
            ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
            self._short_side = min(short_side, first.width, first.height)
            self._pixel_shape = Fraction(ratio or 1) or Fraction(1)
            if first.rotation % 180:
                self._pixel_shape = 1 / self._pixel_shape

    def add_stream(self, out, options):
        """The video stream of a new file."""
        stream = out.add_stream("libx264", rate=self._rate(), options=options)
        height, width = self._video.read([0], self._short_side).shape[1:3]
        stream.height, stream.width, stream.pix_fmt = height // 2 * 2, width // 2 * 2, "yuv420p"
        context = stream.codec_context
        context.sample_aspect_ratio = self._pixel_shape
        context.time_base, context.thread_count = self._clock, 1
        context.colorspace, context.color_range = _BT601, _LIMITED
        context.flags |= av.codec.context.Flags.frame_duration
        return stream

    def _rate(self):
        return Fraction(frame_rate(self._path)).limit_denominator(1001)

    def packets(self, stream):
        """Pairs of the time of a frame and the packets that it completed."""
        times = self._video.times
        ends = np.append(times[1:], self._video.end_time)
        height, width = stream.height, stream.width
        for index, image in frames_in_order(self._path, short_side=self._short_side):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(image[:height, :width]), "rgb24"
            )
            begin, end = (round(seconds[index] / self._clock) for seconds in (times, ends))
            frame.pts, frame.duration, frame.time_base = begin, end - begin, self._clock
            yield times[index], stream.encode(frame)
        yield np.inf, stream.encode()
