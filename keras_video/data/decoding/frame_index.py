"""Which timestamp belongs to which frame of a video file, and where decoding can start.

An index is made by demuxing a file once, without decoding it, and is kept for the files read last.
"""

import collections
import dataclasses
import itertools
import math
import os
import threading
from fractions import Fraction

import numpy as np

from ..shard_paths import status_of
from .opening import decoded, demuxed
from .packets import Headers, shown_frames

# Codecs whose decoders hold nothing from before a keyframe that a frame behind it needs. Others,
# such as those that change a palette or a screen bit by bit, are only read from the start.
_SEEKABLE_CODECS = (
    "av1 dnxhd dvvideo ffv1 ffvhuff flv1 h263 h264 hevc huffyuv jpeg2000 mjpeg mpeg1video "
    "mpeg2video mpeg4 msmpeg4v2 msmpeg4v3 png prores rawvideo theora utvideo v210 vc1 vp8 vp9 "
    "vvc wmv1 wmv2 wmv3"
)
# Side data of a packet that says how later packets are to be read.
_STATE_CHANGES = ("palette", "new_extradata", "param_change")
# Containers that hold one whole frame a packet; what others hold is found by parsing.
_FRAMED = ("mov", "matroska")
# Frames of a file of another container that are decoded to see that packets are frames.
_TRIED_FRAMES = 12
# Frames per second that players assume of a file that does not say.
USUAL_RATE = 25
# A timestamp that goes back by more seconds begins a new clock: another file was appended.
_NEW_CLOCK = 1


@dataclasses.dataclass(frozen=True, eq=False)
class FrameIndex:
    """Timestamps of a video's frames, in the order of a sequential decode.

    Attributes:
        timestamps: int64 `(total_frames,)`, ascending, in the stream's time base.
        end: timestamp at which the last frame ends.
        time_base: seconds of one unit of the timestamps, a fraction.
        keyframes: int64 `(n, 2)`, ascending: presentation and decoding timestamp of each packet
            that decoding can start at; None when the file's own timestamps cannot tell frames
            apart, so that it is only read from its start.
    """

    timestamps: np.ndarray
    end: int
    time_base: Fraction
    keyframes: np.ndarray | None = None

    @property
    def total_frames(self):
        """Number of frames a sequential decode gives."""
        return len(self.timestamps)

    @property
    def times(self):
        """Seconds at which each frame is shown, float64 `(total_frames,)`."""
        return self.timestamps * self.time_base.numerator / self.time_base.denominator

    @property
    def end_time(self):
        """Seconds at which the last frame ends."""
        return float(self.end * self.time_base)

    def keyframe_before(self, timestamp):
        """Row of the last keyframe shown at or before `timestamp`, or None."""
        if self.keyframes is None:
            return None
        row = int(np.searchsorted(self.keyframes[:, 0], timestamp, side="right")) - 1
        return row if row >= 0 else None


class IndexCache:
    """The indices of the files read last, forgotten when a file changes. Thread-safe."""

    def __init__(self, capacity):
        self._capacity = capacity
        self._entries = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._entries)

    def get(self, path):
        """The index of `path` as it is on disk now, or None."""
        key = _file_state(path)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, path, index):
        """Keep `index` for `path`, forgetting the one that was not used for longest."""
        key = _file_state(path)
        with self._lock:
            self._entries[key] = index
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)


def _file_state(path):
    status = status_of(path)
    return os.fspath(path), status.st_mtime_ns, status.st_size


def scan(container, stream):
    """Demux a freshly opened file.

    Args:
        container: an `av.container.InputContainer` at its start.
        stream: its video stream.

    Returns:
        A `FrameIndex`, or None when the packets do not say which frames a decoder makes of them,
        or a decoder that begins at a keyframe may give others than one that begins at the start.

    Raises:
        EOFError: the file ends before the packets it announces.
        av.error.FFmpegError: the container is damaged.
    """
    codec = stream.codec_context.codec.canonical_name
    seen = _Seen(codec, stream.codec_context.extradata)
    if codec not in _SEEKABLE_CODECS.split() or _has_palette(stream):
        seen.is_plain = False
    for packet in demuxed(container, stream):
        if packet.size:
            seen.add(packet)
        elif packet.pts is not None or packet.dts is not None:
            seen.is_plain = False
    _check_complete(stream, seen)
    return seen.index(stream)


class _Seen:
    """What the packets of a stream have shown so far, and whether they can be trusted."""

    def __init__(self, codec, extradata):
        self.found, self.is_plain, self.ends_corrupt = 0, True, False
        self._codec, self._headers = codec, Headers(codec, extradata)
        self._shown, self._keyframes, self._last_dts = [], [], None
        self._last = (-math.inf, 0)
        self._is_reordered = False

    def add(self, packet):
        self.found += 1
        self.ends_corrupt = packet.is_corrupt
        if not self.is_plain:
            return
        data, is_keyframe = memoryview(packet), packet.is_keyframe
        shown = shown_frames(data, self._codec)
        self._headers.add(data, is_keyframe)
        untold = packet.is_corrupt or shown > 1 or packet.pts is None
        if untold or not self._in_order(packet) or _changes_state(packet, bool(self._keyframes)):
            self.is_plain = False
        else:
            self._note(packet, bool(shown), is_keyframe)

    def _in_order(self, packet):
        if packet.dts is None:
            return True
        before, self._last_dts = self._last_dts, packet.dts
        return (before is None or before <= packet.dts) and packet.dts <= packet.pts

    def _note(self, packet, is_shown, is_keyframe):
        if is_keyframe:
            self._keyframes.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
        if is_shown and not packet.is_discard:
            self._is_reordered |= bool(self._shown) and packet.pts < self._shown[-1]
            self._shown.append(packet.pts)
            self._last = max(self._last, (packet.pts, packet.duration or 0))
        # Pictures that begin a stream and refer to none before it may not be given by a decoder.
        if not self._keyframes or packet.pts < self._keyframes[0][0]:
            self.is_plain = False

    def index(self, stream):
        """The `FrameIndex`, or None where the packets do not tell."""
        if not self.is_plain or not self._shown or self._headers.lost_by_seeking:
            return None
        if self._has_guessed_times(stream):
            return None
        timestamps = np.sort(np.array(self._shown, np.int64))
        if (np.diff(timestamps) == 0).any():
            return None
        keyframes = np.array(sorted(self._keyframes), np.int64).reshape(-1, 2)
        # Durations go by the order of decoding: the frame shown last says when it ends.
        end = int(timestamps[-1]) + (self._last[1] or _usual_step(timestamps, stream))
        return FrameIndex(timestamps, end, stream.time_base, keyframes)

    def _has_guessed_times(self, stream):
        """Whether frames are reordered and the timestamps seen are not."""
        reorders = stream.codec_context.has_b_frames
        if stream.container.format.name == "avi":
            return reorders  # it stores decoding times only
        if self._codec not in ("h264", "hevc") or self._is_reordered:
            return False
        return reorders or self._headers.has_unreferred


def _usual_step(timestamps, stream):
    """How long most frames are shown, for packets without a duration, such as those of TS."""
    if len(timestamps) > 1:
        return int(np.median(np.diff(timestamps)))
    return max(1, round(1 / (usual_rate(stream) * stream.time_base)))


def _has_palette(stream):
    pixel_format = stream.codec_context.pix_fmt
    return pixel_format is None or "pal8" in pixel_format


def _changes_state(packet, has_begun):
    if next(iter(packet.iter_sidedata()), None) is None:
        return False
    # At the first packet it is part of what every decoder of the stream begins with, but palettes.
    kinds = _STATE_CHANGES if has_begun else ("palette",)
    return any(packet.has_sidedata(kind) for kind in kinds)


def holds_frames(container):
    """Whether the packets of a container are whole frames, without a parser's doing."""
    return container.format.name.startswith(_FRAMED)


def begins_as_indexed(container, stream, index):
    """Whether the first frames that a decoder gives of a freshly opened file are those indexed.

    Containers that are cut into packets by a parser may give half frames, or frames that decoders
    keep back.
    """
    frames = itertools.islice(decoded(container, stream), _TRIED_FRAMES)
    expected = index.timestamps[:_TRIED_FRAMES].tolist()
    return [frame.pts for frame in frames] == expected


def count(container, stream):
    """Decode a freshly opened file, for one that `scan` cannot tell the frames of.

    A frame without a timestamp, or with one that is not behind that of the frame before, is taken
    to come a frame's usual duration after it, by the stream's average rate. A timestamp that goes
    back by more than a second begins a new clock, which goes on where the old one ended.

    Args:
        container, stream: see `scan`.

    Returns:
        A `FrameIndex` without keyframes; its timestamps are empty when nothing was decoded.

    Raises:
        av.error.FFmpegError: the container is damaged.
    """
    step = max(1, round(1 / (usual_rate(stream) * stream.time_base)))
    timestamps, clock, following = [], 0, stream.start_time or 0
    for frame in decoded(container, stream):
        stamp = frame.dts if frame.pts is None else frame.pts
        if stamp is None or (timestamps and stamp + clock <= timestamps[-1]):
            if stamp is not None and (following - stamp - clock) * stream.time_base > _NEW_CLOCK:
                clock = following - stamp
            timestamps.append(following)
        else:
            timestamps.append(stamp + clock)
        following = timestamps[-1] + (getattr(frame, "duration", 0) or step)
    return FrameIndex(np.array(timestamps, np.int64), following, stream.time_base)


def usual_rate(stream):
    """Frames per second of a video stream on average, a fraction."""
    return Fraction(stream.average_rate or stream.guessed_rate or USUAL_RATE)


def _check_complete(stream, seen):
    # Other containers list keyframes only.
    is_mp4 = stream.container.format.name.startswith("mov")
    announced = len(stream.index_entries) if is_mp4 else 0
    if seen.found < announced:
        raise EOFError(f"it announces {announced} frames and ends after {seen.found}")
    # Before the end, transport streams mark so what follows a jump of their counters.
    if seen.ends_corrupt:
        raise EOFError(f"it ends inside packet {seen.found - 1}")
