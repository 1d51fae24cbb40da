"""Exact frame access to video files through PyAV."""

import contextlib
import functools
import math
import os
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .frame_index import FrameIndex, IndexCache, scan

_indices = IndexCache(capacity=20_000)
# Decoding so many frames takes about as long as a seek.
_SEEK_COST = 4
# Decoders that can pass over a frame nothing refers to without losing their place.
_PASSING_CODECS = frozenset({"h264", "hevc"})
# TensorFlow takes over arrays that begin at a multiple of so many bytes, and copies others.
_ALIGNMENT = 64


class DecodeError(ValueError):
    """A video could not be decoded.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        wanted: index of the frame that was asked for, or None when no frame was.
        found: number of frames found, or None when unknown.
    """

    def __init__(self, path, reason, wanted=None, found=None):
        self.path, self.reason, self.wanted, self.found = os.fspath(path), reason, wanted, found
        details = "" if wanted is None else f"; wanted frame {wanted}"
        details += "" if found is None else f"; found {found} frames"
        super().__init__(f"cannot decode {self.path}: {reason}{details}")

    def __reduce__(self):
        return type(self), (self.path, self.reason, self.wanted, self.found)


class Video:
    """A video file whose frames are read by index. Made by `open_video`.

    Attributes:
        path: the file.
        total_frames: number of frames that a decode from start to end gives.
    """

    def __init__(self, path, index):
        self.path = path
        self._index = index
        self.total_frames = index.total_frames

    def read(self, indices, short_side=None):
        """Decode frames.

        Frame `i` is the `i`-th frame that a decode from start to end gives, turned as the file's
        rotation says. Frames come in the order of `indices`, which may repeat.

        Args:
            indices: integers in `[0, total_frames)`, any shape; they are flattened.
            short_side: length in pixels that the decoder's own scaler brings the short side to.
                Its bilinear filter smooths when it shrinks, unlike the plain bilinear of the
                `Resize` step: pixels differ from that step by one or two levels on average, by
                tens at edges. None keeps the stored size.

        Returns:
            uint8 array `(len(indices), height, width, 3)`, RGB.

        Raises:
            DecodeError: an index is out of range, or the file is damaged.
        """
        wanted = np.asarray(indices, np.int64).reshape(-1)
        for index in wanted:
            if not 0 <= index < self.total_frames:
                reason = "frame index out of range"
                raise DecodeError(self.path, reason, int(index), self.total_frames)
        if not wanted.size:
            raise DecodeError(self.path, "no frame was asked for", found=self.total_frames)
        unique, positions = np.unique(wanted, return_inverse=True)
        frames = self._decode(unique, functools.partial(to_rgb, VideoReformatter(), short_side))
        if frames.shape[0] == wanted.size and (np.diff(wanted) > 0).all():
            return frames
        return frames[positions]

    def _decode(self, wanted, convert):
        """Decode ascending, distinct indices."""
        frames = None
        if self._index.timestamps is not None:
            frames = _decode_by_timestamp(self.path, self._index, wanted, convert)
        if frames is None:
            frames = _decode_by_count(self.path, wanted, convert)
        return frames


def open_video(path):
    """Find a video's frames, without decoding them where the file's timestamps allow it.

    What is found is remembered for the process, until the file changes.

    Args:
        path: a file with a video stream, in any container and codec that FFmpeg reads.

    Returns:
        A `Video`.

    Raises:
        DecodeError: the file is missing, empty, truncated or damaged, or has no video stream.
    """
    path = os.fspath(path)
    try:
        index = _indices.get(path)
    except OSError as error:
        raise DecodeError(path, error.strerror) from error
    if index is None:
        index = _make_index(path)
        _indices.put(path, index)
    return Video(path, index)


@contextlib.contextmanager
def opened(path):
    """The container and video stream of a file, with FFmpeg's errors turned into `DecodeError`."""
    try:
        if not Path(path).stat().st_size:
            raise DecodeError(path, "the file is empty")
        with av.open(path, metadata_errors="ignore") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                raise DecodeError(path, "it has no video stream that can be decoded")
            # Clips are decoded in parallel: threads inside a decoder only add delay and memory.
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.error.FFmpegError as error:
        raise DecodeError(path, error.strerror or str(error)) from error
    except (EOFError, OSError, MemoryError) as error:
        raise DecodeError(path, str(error)) from error


def _make_index(path):
    with opened(path) as (container, stream):
        index = scan(container, stream)
    if index is None:
        with opened(path) as (container, stream):
            index = FrameIndex(sum(1 for _ in container.decode(stream)))
    if not index.total_frames:
        raise DecodeError(path, "it holds no frames", found=0)
    return index


def _decode_by_count(path, wanted, convert):
    """Decode from the start, counting frames."""
    frames, done, found = None, 0, 0
    with opened(path) as (container, stream):
        for found, frame in enumerate(container.decode(stream), start=1):  # noqa: B007
            if found - 1 == wanted[done]:
                frames = _store(frames, done, convert(frame), wanted, path)
                done += 1
                if done == len(wanted):
                    return frames
    raise DecodeError(path, "it ends early", int(wanted[done]), found)


def _decode_by_timestamp(path, index, wanted, convert):
    """Decode frames known by timestamp, passing over groups of pictures that hold none.

    Returns None when the decoder's timestamps disagree with the index, or seeking goes wrong.
    """
    timestamps = index.timestamps[wanted]
    frames, done = None, 0
    with opened(path) as (container, stream):
        while done < len(wanted):
            start = done
            for frame in _frames_from(container, stream, index, timestamps[done:]):
                if frame.pts > timestamps[done]:
                    return None
                if frame.pts < timestamps[done]:
                    continue
                frames = _store(frames, done, convert(frame), wanted, path)
                done += 1
                if done == len(wanted) or _worth_seeking(index, *timestamps[done - 1 : done + 1]):
                    break
            if done == start:
                return None
    return frames


def _worth_seeking(index, current, following):
    """Whether more frames lie between a frame and the next keyframe needed than a seek costs."""
    keyframe = index.keyframes[index.keyframe_before(following), 0]
    passed_over = np.searchsorted(index.timestamps, [current, keyframe])
    return passed_over[1] - passed_over[0] > _SEEK_COST


def _frames_from(container, stream, index, timestamps):
    """Frames in order, from the keyframe at or before the first of the ascending `timestamps`.

    Frames that nothing refers to and nobody wants are not decoded. Nothing is given when no
    keyframe is found there.
    """
    row = index.keyframe_before(timestamps[0])
    if row is None:
        return
    context = stream.codec_context
    idle = "NONREF" if context.name in _PASSING_CODECS else "DEFAULT"
    if row > 0:
        container.seek(int(index.keyframes[row, 0]), stream=stream)
    wanted, landed = set(timestamps.tolist()), None
    for packet in container.demux(stream):
        if landed is None and packet.size:
            landed = packet.pts
            if not packet.is_keyframe or landed is None or landed > timestamps[0]:
                return
        context.skip_frame = idle if packet.size and packet.pts not in wanted else "DEFAULT"
        for frame in packet.decode():
            # Pictures before the keyframe that decoding started at refer to what was passed over.
            if frame.pts is not None and frame.pts >= landed:
                yield frame


def _store(frames, position, image, wanted, path):
    if frames is None:
        frames = aligned_empty((len(wanted), *image.shape))
    if image.shape != frames.shape[1:]:
        height, width = frames.shape[1:3]
        reason = (
            f"the frame size changes from {width}x{height} to {image.shape[1]}x{image.shape[0]}"
        )
        raise DecodeError(path, reason, int(wanted[position]))
    frames[position] = image
    return frames


def aligned_empty(shape, dtype=np.uint8):
    """An array whose memory TensorFlow can use as it is, without copying it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def to_rgb(reformatter, short_side, frame):
    """A decoded frame as uint8 `(height, width, 3)`, turned as its rotation says."""
    width, height = frame.width, frame.height
    if short_side is not None:
        scale = short_side / min(width, height)
        width, height = (max(short_side, int(side * scale + 0.5)) for side in (width, height))
    options = _single_thread_options()
    plane = reformatter.reformat(frame, width, height, "rgb24", **options).planes[0]
    # Lines are longer than the picture is wide: a view saves the copy that to_ndarray() makes.
    rgb = np.ndarray((height, width, 3), np.uint8, plane, strides=(plane.line_size, 3, 1))
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.rot90(rgb, turns)


@functools.cache
def _single_thread_options():
    """One scaler thread, in the releases of PyAV where there can be more: they are far slower."""
    frame = av.VideoFrame(2, 2, "rgb24")
    try:
        VideoReformatter().reformat(frame, format="rgb24", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}
