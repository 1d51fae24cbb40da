"""The sound of a video in a file that its frames are written to again."""

import contextlib
import functools
import tempfile
from pathlib import Path

import av
from absl import logging

from keras_video.data.audio.tracks import NoSound, sound_of
from keras_video.data.decoding.errors import DecodeError
from keras_video.data.prepare.sound_copies import CopiedSound, EncodedSound, Refused

# Seconds of sound before the first frame that are of no account.
_CUT = 0.005


@contextlib.contextmanager
def kept_sound(target, path, start):
    """What a `VideoWriter` of `target` takes as its `sound`, while the block lasts.

    Args:
        target: the file that is written; its ending says what sound it takes.
        path: the video whose sound is kept.
        start: seconds of its clock at which the new file begins.

    Yields:
        The function, or `None` for a video without sound.
    """
    opened = contextlib.ExitStack()
    try:
        _, track = opened.enter_context(sound_of(path))
    except NoSound:
        track = None
    try:
        yield None if track is None else _chosen(Path(target), path, track, start)
    finally:
        opened.close()  # what goes wrong in the block is no fault of the sound


def _chosen(target, path, track, start):
    """The first way of writing the sound that the container takes; says where there is none."""
    begins = float((track.start_time or 0) * track.time_base)
    # Packets of sound that is cut cannot stay: how much a decoder leaves out is told for the first.
    ways = (EncodedSound,) if begins < start - _CUT else (CopiedSound, EncodedSound)
    for way in ways:
        try:
            _try(way, target, path, track)
        except (Refused, av.error.FFmpegError, RuntimeError, ValueError) as error:
            problem = error
            continue
        return functools.partial(_Kept, way, path, track, start)
    logging.warning("%s: written without the sound of %s: %s", target, path, problem)
    return None


def _try(way, target, path, track):
    """Writes the header of such a file."""
    with (
        tempfile.TemporaryDirectory() as folder,
        av.open(str(Path(folder) / f"try{target.suffix}"), "w") as out,
    ):
        stream = out.add_stream(out.default_video_codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        way(out, path, track)
        out.start_encoding()


class _Kept:
    """The packets of a sound track up to where it is damaged."""

    def __init__(self, way, path, track, start, out):
        self._path = path
        self._packets = way(out, path, track, start).packets()

    def packets(self):
        try:
            yield from self._packets
        except DecodeError as error:
            logging.warning("%s: the sound ends where it cannot be read: %s", self._path, error)
