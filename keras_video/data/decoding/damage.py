"""Detection of damage that FFmpeg conceals when it decodes a video, and of missing parts."""

import contextlib
import re
import threading
import time

import av
import av.logging
import numpy as np

from ..shard_paths import open_bytes, size_of
from .errors import DecodeError
from .frame_index import IndexCache
from .opening import MAX_PIXELS, decoded, demuxed, opened

# Seconds by which audio and video may end before the container's duration: headers are rounded, and
# count the last packet's padding.
_DURATION_TOLERANCE = 0.25
# Number of frames by which the header of an AVI file may overcount.
_AVI_TOLERANCE = 2
# Fraction of frame intervals that must be equal before a longer one indicates lost frames, and the
# fraction of frames that may be lost.
_EVEN_FRACTION, _LOST_FRACTION = 0.85, 0.01
# Seconds; a longer interval is a jump between recordings.
_JUMP = 10
# Containers whose header states their duration. Others are measured by their content.
_TIMED = ("avi", "asf", "flv", "matroska", "mov")
_TS_PACKET = 188
# Bytes of an Ogg page, at most.
_OGG_PAGE = 65_307
# The start of a fragment of an MP4 file: nested boxes, with the length between their names.
_FRAGMENT = re.compile(rb"moof\x00\x00\x00.mfhd", re.DOTALL)
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")

_findings = IndexCache(capacity=20_000)


def find_damage(path, max_pixels=MAX_PIXELS, stall_limit=60, time_limit=None):
    """Decodes a video from start to end and looks for damage that FFmpeg silently ignores.

    Damage is: a frame that the decoder marks as corrupt, an error that FFmpeg reports and recovers
    from, an end before the one that the container states, and lost frames in a video of otherwise
    constant rate. Damage that leaves the stream valid, such as a changed byte of a frame, is
    detected only if the codec notices.

    Args:
        path: a video file.
        max_pixels: see `open_video`.
        stall_limit: seconds that may pass without a frame.
        time_limit: seconds that the whole file may take; None sets no limit.

    Returns:
        Number of frames, and a one-line description of the damage, or None.

    Raises:
        DecodeError: it cannot be decoded, or not within the time limits.
    """
    with _captured_errors() as reports:
        times, corrupt = _decode_all(path, max_pixels, stall_limit, time_limit, reports)
    if corrupt is not None:
        return len(times), f"frame {corrupt} is damaged"
    if reports:
        text = " ".join(reports[0][-1].split())
        return len(times), f"FFmpeg conceals an error: {text}"
    return len(times), _missing_end(path, max_pixels) or _lost_frames(times)


def reject_damaged(path, max_pixels=MAX_PIXELS):
    """Raises a `DecodeError` for a video that is damaged or cannot be decoded.

    Results are cached in the process until the file changes.
    """
    try:
        result = _findings.get(path)
    except OSError as error:
        raise DecodeError(path, error.strerror or str(error)) from error
    if result is None:
        result = find_damage(path, max_pixels)
        _findings.put(path, result)
    frames, damage = result
    if damage is not None:
        raise DecodeError(path, damage, frame_count=frames)


def _begins_inside_group(path, max_pixels):
    with opened(path, max_pixels) as (container, stream):
        for packet in demuxed(container, stream):
            if packet.size:
                return not packet.is_keyframe
    return False


def _decode_all(path, max_pixels, stall_limit, time_limit, reports):
    """Time of every frame that has one, and the number of the first damaged frame or None."""
    begun = last = time.monotonic()
    times, corrupt, is_cut = [], None, _begins_inside_group(path, max_pixels)
    with opened(path, max_pixels, timeout=stall_limit) as (container, stream):
        for number, frame in enumerate(decoded(container, stream)):
            now = time.monotonic()
            if now - last > stall_limit:
                raise DecodeError(path, f"no frame came for {stall_limit} s", number)
            if time_limit is not None and now - begun > time_limit:
                raise DecodeError(path, f"decoding took over time_limit={time_limit} s", number)
            last = now
            if is_cut and frame.key_frame:
                # Earlier frames referred to frames that were cut off, which is no damage.
                is_cut, corrupt = False, None
                reports.clear()
            if corrupt is None and frame.is_corrupt:
                corrupt = number
            times.append(None if frame.pts is None else float(frame.pts * stream.time_base))
    return times, corrupt


_listeners, _lock, _level_before = 0, threading.Lock(), None


@contextlib.contextmanager
def _captured_errors():
    """Collects the errors that FFmpeg reports in this thread, as PyAV's log entries, in a list."""
    global _listeners, _level_before
    with _lock:
        _listeners += 1
        if _listeners == 1:
            _level_before = av.logging.get_level(), av.logging.get_skip_repeated()
            av.logging.set_level(av.logging.ERROR)
            # Otherwise an error that the previous file also had is skipped.
            av.logging.set_skip_repeated(False)
    try:
        # Reports of other threads meanwhile do not belong in the user's log either.
        with av.logging.Capture(local=False), av.logging.Capture() as reports:
            yield reports
    finally:
        with _lock:
            _listeners -= 1
            if not _listeners:
                av.logging.set_level(_level_before[0])
                av.logging.set_skip_repeated(_level_before[1])


def _missing_end(path, max_pixels):
    """Evidence that the end of a file is missing, or None."""
    with opened(path, max_pixels) as (container, stream):
        name, announced = container.format.name, container.duration
        reason = _missing_bytes(path, name)
        if reason or not name.startswith(_TIMED) or not announced:
            return reason
        start, end, last_frame = (container.start_time or 0) / av.time_base, 0.0, None
        for packet in demuxed(container):
            if packet.size and packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index == stream.index:
                    last_frame = packet.pts
        # AVI counts frames, so it needs no allowance for audio padding.
        if name == "avi" and last_frame is not None and stream.duration:
            missing = stream.duration - (last_frame + 1)
            if missing > _AVI_TOLERANCE:
                return f"its header announces {stream.duration} frames, {missing} more than it has"
    announced /= av.time_base
    # Some containers count from zero, some from their first packet.
    if announced - max(end, end - start) <= _DURATION_TOLERANCE + announced / 200:
        return None
    return f"its header announces {announced:.2f} s, it ends after {end:.2f} s"


def _missing_bytes(path, name):
    """Evidence that a file lost its last bytes, where the container reveals it; or None."""
    size = size_of(path)
    with open_bytes(path) as file:
        head = file.read(65_536)
        file.seek(max(0, size - _OGG_PAGE))
        tail = file.read()
    if name == "ogg":
        return _missing_ogg_pages(tail)
    if name == "mpeg":
        return _missing_pes_bytes(tail)
    if name.startswith("mov"):
        return _missing_fragments(path, size)
    if name == "mpegts":
        cut = size % _TS_PACKET and head[:1] == head[_TS_PACKET : _TS_PACKET + 1] == b"G"
        return f"it ends inside a packet of {_TS_PACKET} bytes" if cut else None
    announced = 0
    if name == "avi":
        announced = 8 + int.from_bytes(head[4:8], "little")
    elif name == "asf" and _ASF_PROPERTIES in head:
        position = head.index(_ASF_PROPERTIES) + 40
        announced = int.from_bytes(head[position : position + 8], "little")
    if announced <= size:
        return None
    return f"its header announces {announced} bytes, the file has {size}"


def _missing_pes_bytes(tail):
    # These start codes belong to the container: the streams inside have none.
    positions = [match.start() for match in re.finditer(rb"\x00\x00\x01[\xbd-\xef]", tail)]
    if positions and len(tail) >= positions[-1] + 6:
        announced = int.from_bytes(tail[positions[-1] + 4 : positions[-1] + 6])
        if positions[-1] + 6 + announced > len(tail):
            return "it ends inside a packet"
    return None


def _missing_fragments(path, size):
    """Evidence that an MP4 file has fragments after the point where its boxes end; or None."""
    position = 0
    with open_bytes(path) as file:
        while position < size:
            file.seek(position)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4]), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:])
            if length == 0 and kind.isalnum():  # the last box, which extends to the end of the file
                return None
            if length < 8 or position + length > size or not kind.isascii():
                break
            position += length
        else:
            return None
        file.seek(position + 8)
        tail = b""
        while block := file.read(1 << 20):
            if _FRAGMENT.search(tail + block):
                return f"at byte {position} there is no box, and further fragments come after it"
            tail = block[-16:]
    return None


def _missing_ogg_pages(tail):
    position = tail.rfind(b"OggS")
    if position < 0 or len(tail) < position + 27:
        return "it ends inside a page"
    segments = tail[position + 26]
    end = position + 27 + segments + sum(tail[position + 27 : position + 27 + segments])
    if end > len(tail):
        return "it ends inside a page"
    return None if tail[position + 5] & 4 else "it ends before the page that is marked as the last"


def _lost_frames(times):
    if None in times or len(times) < 10:
        return None
    # Some writers put the first frame a step early.
    steps = np.diff(times)[1:]
    typical = float(np.median(steps))
    # A jump is another recording, appended to this one.
    steps = steps[steps < _JUMP]
    # Times are rounded to milliseconds in some containers.
    regular = np.abs(steps - typical) <= 0.1 * typical + 0.001
    if typical <= 0 or regular.mean() < _EVEN_FRACTION:
        return None
    lost = int((np.round(steps[~regular] / typical) - 1).clip(min=0).sum())
    if lost <= _LOST_FRACTION * len(times):
        return None
    return f"about {lost} of its {len(times) + lost} frames are missing: its times have gaps"
