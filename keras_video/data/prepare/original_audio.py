"""Keeps the audio of a video in a file that its frames are rewritten to."""

import contextlib
import functools
import tempfile
from pathlib import Path

import av
from absl import logging

from keras_video.data.audio.tracks import NoAudioError, open_audio_stream
from keras_video.data.decoding.errors import DecodeError
from keras_video.data.prepare.audio_copies import CopiedAudio, EncodedAudio, Refused

# Seconds of audio before the first frame that are negligible.
_CUT = 0.005


@contextlib.contextmanager
def original_audio(target, path, start):
    """Context manager of the `audio` argument of a `VideoWriter` of `target`.

    Args:
        target: the file that is written; its extension determines the supported audio codecs.
        path: the video whose audio is kept.
        start: time in seconds on its clock at which the new file starts.

    Yields:
        The function, or `None` for a video without audio.
    """
    opened = contextlib.ExitStack()
    try:
        _, track = opened.enter_context(open_audio_stream(path))
    except NoAudioError:
        track = None
    try:
        yield None if track is None else _chosen(Path(target), path, track, start)
    finally:
        opened.close()  # errors in the block are not errors of the audio


def _chosen(target, path, track, start):
    """The first audio writer that the container supports; warns if there is none."""
    begins = float((track.start_time or 0) * track.time_base)
    # Trimmed audio cannot be copied: the number of samples to skip is stored with the first packet.
    ways = (EncodedAudio,) if begins < start - _CUT else (CopiedAudio, EncodedAudio)
    for way in ways:
        try:
            _try(way, target, path, track)
        except (Refused, av.error.FFmpegError, RuntimeError, ValueError) as error:
            problem = error
            continue
        return functools.partial(_Kept, way, path, track, start)
    logging.warning("%s: written without the audio of %s: %s", target, path, problem)
    return None


def _try(way, target, path, track):
    """Writes the header of a file with this audio writer."""
    with (
        tempfile.TemporaryDirectory() as folder,
        av.open(str(Path(folder) / f"try{target.suffix}"), "w") as out,
    ):
        stream = out.add_stream(out.default_video_codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        way(out, path, track)
        out.start_encoding()


class _Kept:
    """The packets of an audio track up to where it is damaged."""

    def __init__(self, way, path, track, start, out):
        self._path = path
        self._packets = way(out, path, track, start).packets()

    def packets(self):
        try:
            yield from self._packets
        except DecodeError as error:
            logging.warning("%s: the audio ends where it cannot be read: %s", self._path, error)
