"""Which timestamp belongs to which frame of a video file, and where decoding can start.

An index is made by demuxing a file once, without decoding it, and is kept for the files read last.
"""

import collections
import dataclasses
import os
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np

# Formats whose packets are not one frame each: only decoding tells how many frames come out.
_UNINDEXABLE_CODECS = frozenset({"gif", "apng", "webp"})
_VP8_SHOW_FRAME = 0x10
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
    status = Path(path).stat()
    return os.fspath(path), status.st_mtime_ns, status.st_size


def scan(container, stream):
    """Demux a freshly opened file.

    Args:
        container: an `av.container.InputContainer` at its start.
        stream: its video stream.

    Returns:
        A `FrameIndex`, or None when the packets do not say which frames they hold.

    Raises:
        EOFError: the file ends before the packets it announces.
        av.error.FFmpegError: the container is damaged.
    """
    if stream.codec_context.name in _UNINDEXABLE_CODECS:
        return None
    shown, keyframes, found, end = [], [], 0, None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.is_corrupt:
            raise EOFError(f"it ends inside packet {found}")
        found += 1
        if packet.is_keyframe:
            keyframes.append((packet.pts, packet.dts))
        if not (packet.is_discard or _is_hidden(packet, stream.codec_context.name)):
            shown.append(packet.pts)
            end = _later(end, packet)
    _check_complete(stream, found)
    if not shown or not _tells_frames_apart(shown, stream):
        return None
    timestamps = np.sort(np.array(shown, np.int64))
    if end is None or end <= timestamps[-1]:  # packets of transport streams have no duration
        end = int(timestamps[-1]) + max(1, round(1 / (usual_rate(stream) * stream.time_base)))
    return FrameIndex(timestamps, end, stream.time_base, _keyframe_table(keyframes))


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
    for frame in container.decode(stream):
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


def _later(end, packet):
    if packet.pts is None:
        return end
    return max(packet.pts + (packet.duration or 0), packet.pts if end is None else end)


def _is_hidden(packet, codec):
    """VP8 stores frames that are only referred to as packets of their own."""
    return codec in ("vp8", "libvpx") and not memoryview(packet)[0] & _VP8_SHOW_FRAME


def _tells_frames_apart(timestamps, stream):
    if None in timestamps or len(set(timestamps)) != len(timestamps):
        return False
    # AVI stores no presentation times: where frames are reordered, those seen here are guesses.
    guessed = stream.container.format.name == "avi" and stream.codec_context.has_b_frames
    return not guessed


def _check_complete(stream, found):
    # Other containers list keyframes only; releases of PyAV before 16 do not show the list.
    is_mp4 = stream.container.format.name.startswith("mov")
    announced = len(getattr(stream, "index_entries", ())) if is_mp4 else 0
    if found < announced:
        raise EOFError(f"it announces {announced} frames and ends after {found}")


def _keyframe_table(keyframes):
    rows = [(pts, pts if dts is None else dts) for pts, dts in keyframes if pts is not None]
    return np.array(sorted(rows), np.int64).reshape(-1, 2)
