"""The audio of a video in a new file: copied, or re-encoded if that is not possible."""

from fractions import Fraction

import av
import numpy as np

from keras_video.data.audio.tracks import resampled_frames
from keras_video.data.decoding.errors import DecodeError

# Rates and layouts that AAC supports, and that others are converted to.
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_BITS_PER_CHANNEL = 96_000
# Samples per AAC frame.
_FRAME = 1024


class Refused(Exception):
    """A writer does not support its input."""


class CopiedAudio:
    """The unchanged packets of an audio track.

    Args:
        out: the container that is written.
        path: the file that is read.
        track: its stream.
        start: seconds on the clock of the file at which the new file starts; earlier packets are
            dropped. `None` keeps all times.

    Raises:
        Refused: the container does not support the codec.
    """

    def __init__(self, out, path, track, start=None):
        codec = track.codec_context.codec.canonical_name
        if codec not in out.supported_codecs:
            raise Refused(f"{out.format.name} files do not support audio of the codec {codec}")
        self._path, self._track, self._start = path, track, start
        self._stream = out.add_stream_from_template(track)

    def packets(self):
        """Pairs of the time of a packet and a list with the packet."""
        for packet in _read(self._path, self._track.container.demux(self._track)):
            if packet.size and self._moved(packet):
                time = float((packet.pts if packet.dts is None else packet.dts) * packet.time_base)
                packet.stream = self._stream
                yield time, [packet]

    def _moved(self, packet):
        """Shifts a packet to the clock of the new file; returns whether it belongs to it."""
        if self._start is None:
            return True
        start = round(self._start / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - start
        packet.dts = None if packet.dts is None else packet.dts - start
        return (packet.pts if packet.dts is None else packet.dts) >= 0


class EncodedAudio:
    """An audio track re-encoded as AAC at its times; gaps become silence. Args as above."""

    def __init__(self, out, path, track, start=None):
        context = track.codec_context
        self._path, self._track, self._start = path, track, start
        self._rate = min(
            (rate for rate in _RATES if rate >= context.sample_rate), default=_RATES[-1]
        )
        self._layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
        self._channels = av.AudioLayout(self._layout).nb_channels
        self._stream = out.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = _BITS_PER_CHANNEL * self._channels

    def packets(self):
        """Pairs of the time of a frame and the packets that it completed."""
        begin, kept = None, np.zeros((self._channels, 0), np.float32)
        for place, samples in self._placed():
            begin = place if begin is None else begin
            kept = np.concatenate([kept, samples], axis=1)
            while kept.shape[1] >= _FRAME:
                yield self._encoded(begin, kept[:, :_FRAME])
                begin, kept = begin + _FRAME, kept[:, _FRAME:]
        if kept.shape[1]:
            yield self._encoded(begin, kept)
        yield np.inf, self._stream.encode()

    def _placed(self):
        """Contiguous `(place, samples)` pairs; the first place is the start."""
        following = place = None
        decoded = _read(self._path, self._track.container.decode(self._track))
        frames = resampled_frames(decoded, self._rate, self._layout, frame_size=_FRAME)
        for start, frame in frames:
            place = place if start is None else round((start - (self._start or 0)) * self._rate)
            if following is None:
                following = place if self._start is None else max(place, 0)
            while following < place:
                silence = np.zeros((self._channels, min(_FRAME, place - following)), np.float32)
                yield following, silence
                following += silence.shape[1]
            samples = frame.to_ndarray()
            new = samples[:, following - place :]
            place += samples.shape[1]
            if new.shape[1]:
                yield following, new
                following += new.shape[1]

    def _encoded(self, place, samples):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
        frame.rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), place
        return place / self._rate, self._stream.encode(frame)


def _read(path, items):
    try:
        yield from items
    except av.error.FFmpegError as error:
        raise DecodeError(path, str(error)) from error
