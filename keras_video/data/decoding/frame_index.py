"""Frame index of a video file: timestamps of its frames, and where decoding can start.

An index is built by demuxing a file once, without decoding, and cached for recently read files.
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

# Codecs whose decoders keep no state from before a keyframe that a later frame needs. Others,
# such as those that update a palette or a screen incrementally, are only read from the start.
_SEEKABLE_CODECS = (
    "av1 dnxhd dvvideo ffv1 ffvhuff flv1 h263 h264 hevc huffyuv jpeg2000 mjpeg mpeg1video "
    "mpeg2video mpeg4 msmpeg4v2 msmpeg4v3 png prores rawvideo theora utvideo v210 vc1 vp8 vp9 "
    "vvc wmv1 wmv2 wmv3"
)
# Packet side data that changes how later packets are decoded.
_STATE_CHANGES = ("palette", "new_extradata", "param_change")
# Containers with one whole frame per packet; others are split into frames by a parser.
_FRAMED = ("mov", "matroska")
# Frames decoded, for other containers, to check that packets are frames.
_TRIED_FRAMES = 12
# Frames per second that players assume if a file does not state it.
USUAL_RATE = 25
# A timestamp that jumps back by more seconds starts a new clock: another file was appended.
_NEW_CLOCK = 1


@dataclasses.dataclass(frozen=True, eq=False)
class FrameIndex:
    """Timestamps of a video's frames, in the order of a sequential decode.

    Attributes:
        timestamps: int64 `(total_frames,)`, ascending, in the stream's time base.
        end: timestamp at which the last frame ends.
        time_base: seconds of one unit of the timestamps, a fraction.
        keyframes: int64 `(n, 2)`, ascending: presentation and decoding timestamp of each packet
            that decoding can start at; None if the file's timestamps do not identify its
            frames, so that it is only read from its start.
    """

    timestamps: np.ndarray
    end: int
    time_base: Fraction
    keyframes: np.ndarray | None = None

    @property
    def total_frames(self):
        """Number of frames that a sequential decode yields."""
        return len(self.timestamps)

    @property
    def times(self):
        """Presentation time of each frame in seconds, float64 `(total_frames,)`."""
        return self.timestamps * self.time_base.numerator / self.time_base.denominator

    @property
    def end_time(self):
        """Seconds at which the last frame ends."""
        return float(self.end * self.time_base)

    def keyframe_before(self, timestamp):
        """Row of the last keyframe at or before `timestamp` in presentation order, or None."""
        if self.keyframes is None:
            return None
        row = int(np.searchsorted(self.keyframes[:, 0], timestamp, side="right")) - 1
        return row if row >= 0 else None


class IndexCache:
    """LRU cache of file indices, invalidated when a file changes. Thread-safe."""

    def __init__(self, capacity):
        self._capacity = capacity
        self._entries = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._entries)

    def get(self, path):
        """The index of the current version of `path`, or None."""
        key = _file_state(path)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, path, index):
        """Stores `index` for `path`, evicting the least recently used entry."""
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
        A `FrameIndex`; None if the packets do not determine the decoded frames, or if decoding
        from a keyframe may yield other frames than decoding from the start.

    Raises:
        EOFError: the file has fewer packets than it announces.
        av.error.FFmpegError: the container is damaged.
    """
    codec = stream.codec_context.codec.canonical_name
    packets = _PacketScan(codec, stream.codec_context.extradata)
    if codec not in _SEEKABLE_CODECS.split() or _has_palette(stream):
        packets.is_plain = False
    for packet in demuxed(container, stream):
        if packet.size:
            packets.add(packet)
        elif packet.pts is not None or packet.dts is not None:
            packets.is_plain = False
    _check_complete(stream, packets)
    return packets.index(stream)


class _PacketScan:
    """Accumulates a stream's packets, and whether their timestamps are reliable."""

    def __init__(self, codec, extradata):
        self.count, self.is_plain, self.ends_corrupt = 0, True, False
        self._codec, self._headers = codec, Headers(codec, extradata)
        self._shown, self._keyframes, self._last_dts = [], [], None
        self._last = (-math.inf, 0)
        self._is_reordered = False

    def add(self, packet):
        self.count += 1
        self.ends_corrupt = packet.is_corrupt
        if not self.is_plain:
            return
        data, is_keyframe = memoryview(packet), packet.is_keyframe
        shown = shown_frames(data, self._codec)
        self._headers.add(data, is_keyframe)
        ambiguous = packet.is_corrupt or shown > 1 or packet.pts is None
        if ambiguous or not self._in_order(packet) or _changes_state(packet, bool(self._keyframes)):
            self.is_plain = False
        else:
            self._note(packet, bool(shown), is_keyframe)

    def _in_order(self, packet):
        if packet.dts is None:
            return True
        previous, self._last_dts = self._last_dts, packet.dts
        return (previous is None or previous <= packet.dts) and packet.dts <= packet.pts

    def _note(self, packet, is_shown, is_keyframe):
        if is_keyframe:
            self._keyframes.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
        if is_shown and not packet.is_discard:
            self._is_reordered |= bool(self._shown) and packet.pts < self._shown[-1]
            self._shown.append(packet.pts)
            self._last = max(self._last, (packet.pts, packet.duration or 0))
        # Decoders may not output pictures that precede the first keyframe.
        if not self._keyframes or packet.pts < self._keyframes[0][0]:
            self.is_plain = False

    def index(self, stream):
        """The `FrameIndex`, or None if the packets do not determine it."""
        if not self.is_plain or not self._shown or self._headers.lost_by_seeking:
            return None
        if self._has_guessed_times(stream):
            return None
        timestamps = np.sort(np.array(self._shown, np.int64))
        if (np.diff(timestamps) == 0).any():
            return None
        keyframes = np.array(sorted(self._keyframes), np.int64).reshape(-1, 2)
        # Durations are in decoding order: the end is that of the last frame in presentation order.
        end = int(timestamps[-1]) + (self._last[1] or _usual_step(timestamps, stream))
        return FrameIndex(timestamps, end, stream.time_base, keyframes)

    def _has_guessed_times(self, stream):
        """Whether frames are reordered although the timestamps are not."""
        reorders = stream.codec_context.has_b_frames
        if stream.container.format.name == "avi":
            return reorders  # AVI stores decoding times only
        if self._codec not in ("h264", "hevc") or self._is_reordered:
            return False
        return reorders or self._headers.has_nonreference


def _usual_step(timestamps, stream):
    """Median frame duration, for packets without a duration, such as those of MPEG-TS."""
    if len(timestamps) > 1:
        return int(np.median(np.diff(timestamps)))
    return max(1, round(1 / (usual_rate(stream) * stream.time_base)))


def _has_palette(stream):
    pixel_format = stream.codec_context.pix_fmt
    return pixel_format is None or "pal8" in pixel_format


def _changes_state(packet, has_begun):
    if next(iter(packet.iter_sidedata()), None) is None:
        return False
    # In the first packet, all but palettes initialize every decoder of the stream anyway.
    kinds = _STATE_CHANGES if has_begun else ("palette",)
    return any(packet.has_sidedata(kind) for kind in kinds)


def holds_frames(container):
    """Whether the packets of a container are whole frames, without a parser."""
    return container.format.name.startswith(_FRAMED)


def begins_as_indexed(container, stream, index):
    """Whether the first frames decoded from a freshly opened file match the index.

    Packets split by a parser may be half frames, or frames that decoders do not output.
    """
    frames = itertools.islice(decoded(container, stream), _TRIED_FRAMES)
    expected = index.timestamps[:_TRIED_FRAMES].tolist()
    return [frame.pts for frame in frames] == expected


def count(container, stream):
    """Index a freshly opened file by decoding it, for files that `scan` cannot index.

    A frame without a timestamp, or with one that is not later than the previous frame's, is
    assumed to follow it at the stream's average rate. A timestamp that jumps back by more than a
    second starts a new clock, which continues where the old one ended.

    Args:
        container, stream: see `scan`.

    Returns:
        A `FrameIndex` without keyframes; its timestamps are empty if nothing was decoded.

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
    """Average frames per second of a video stream, a fraction."""
    return Fraction(stream.average_rate or stream.guessed_rate or USUAL_RATE)


def _check_complete(stream, packets):
    # Only MP4 lists all packets; other containers list keyframes at most.
    is_mp4 = stream.container.format.name.startswith("mov")
    announced = len(stream.index_entries) if is_mp4 else 0
    if packets.count < announced:
        raise EOFError(f"it announces {announced} frames and ends after {packets.count}")
    # Only at the end: transport streams also mark packets after a jump of their counters.
    if packets.ends_corrupt:
        raise EOFError(f"it ends inside packet {packets.count - 1}")
