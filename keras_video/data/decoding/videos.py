"""Exact frame access to video files through PyAV."""

import functools
import math
import os

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .errors import DecodeError
from .frame_index import IndexCache, begins_as_indexed, count, holds_frames, scan
from .opening import MAX_PIXELS, decoded, demuxed, is_address, opened

_indices = IndexCache(capacity=20_000)
# Decoding so many frames takes about as long as a seek.
_SEEK_COST = 4
# Decoders that can pass over a frame nothing refers to without losing their place.
_PASSING_CODECS = frozenset({"h264", "hevc"})
# TensorFlow takes over arrays that begin at a multiple of so many bytes, and copies others.
_ALIGNMENT = 64


class Video:
    """A video file whose frames are read by index. Made by `open_video`.

    Attributes:
        path: the file.
        total_frames: number of frames that a decode from start to end gives.
    """

    def __init__(self, path, index, open_again=None):
        self.path = path
        self._index = index
        self._open = open_again or functools.partial(opened, path)
        self.total_frames = index.total_frames

    @property
    def times(self):
        """Seconds at which each frame is shown, float64 `(total_frames,)`, ascending.

        They are on the clock of the file, which its sound shares: a stream's timestamps as they
        are stored, of which the first need not be zero. Frames that the file gives no usable
        timestamps for follow each other at the stream's average rate; see `frame_index.count`.
        """
        return self._index.times

    @property
    def end_time(self):
        """Seconds at which the last frame ends, on the clock of `times`."""
        return self._index.end_time

    def read(self, indices, short_side=None, shrink=None):
        """Decode frames.

        Frame `i` is the `i`-th frame that a decode from start to end gives, turned as the file's
        rotation says. Frames come in the order of `indices`, which may repeat.

        Args:
            indices: integers in `[0, total_frames)`, any shape; they are flattened.
            short_side: length in pixels that the decoder's own scaler brings the short side to.
                Its bilinear filter smooths when it shrinks, unlike the plain bilinear of the
                `Resize` step: pixels differ from that step by one or two levels on average, by
                tens at edges. None keeps the stored size.
            shrink: function that makes a frame `(height, width, 3)` smaller right after it was
                decoded, so that no more than one is in memory at full size.

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
        frames = self._decode(unique, _Conversion(self.path, short_side, shrink))
        if frames.shape[0] == wanted.size and (np.diff(wanted) > 0).all():
            return frames
        return frames[positions]

    def _decode(self, wanted, convert):
        """Decode ascending, distinct indices."""
        frames = None
        if self._index.keyframes is not None:
            frames = _decode_by_timestamp(self, self._index, wanted, convert)
        if frames is None:
            frames = _decode_by_count(self, wanted, convert)
        return frames


class _Conversion:
    """From decoded frames to images, which all have one size before they are shrunk."""

    def __init__(self, path, short_side, shrink):
        self._path, self._short_side, self._shrink = path, short_side, shrink
        self._reformatter, self._shape = VideoReformatter(), None

    def __call__(self, frame):
        image = to_rgb(self._reformatter, self._short_side, frame)
        if self._shrink is None:
            return image
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            raise size_change(self._path, self._shape, image.shape)
        return self._shrink(image)


def size_change(path, before, after, index=None):
    """The `DecodeError` for a frame of another size; sizes are (height, width, ...)."""
    sizes = [f"{size[1]}x{size[0]}" for size in (before, after)]
    return DecodeError(path, f"the frame size changes from {sizes[0]} to {sizes[1]}", index)


def open_video(path, max_pixels=MAX_PIXELS, allow_url=False):
    """Find a video's frames, without decoding them where the file's timestamps allow it.

    What is found is remembered for the process, until the file changes.

    Args:
        path: a file with a video stream, in any codec that FFmpeg reads. The file must hold all
            that belongs to it: playlists and other formats that name further files are refused.
        max_pixels: files whose frames have more pixels are refused before memory is taken for
            them; the default lets 8K through.
        allow_url: take `path` for an address if it is one, such as "https://...". It is opened
            anew for every reading; files here cannot be reached from what lies there.

    Returns:
        A `Video`.

    Raises:
        DecodeError: the file is missing, empty, truncated or damaged, has no video stream, or
            frames above the limit.
    """
    path = os.fspath(path)
    open_again = functools.partial(opened, path, max_pixels, allow_url)
    if allow_url and is_address(path):
        return Video(path, _make_index(path, open_again), open_again)
    try:
        index = _indices.get(path)
    except OSError:
        index = None  # opening says what is wrong
    if index is None:
        index = _make_index(path, open_again)
        _indices.put(path, index)
    return Video(path, index, open_again)


def _make_index(path, open_again=None):
    open_again = open_again or functools.partial(opened, path)
    with open_again() as (container, stream):
        index, is_sure = scan(container, stream), holds_frames(container)
    if index is not None and not is_sure:
        with open_again() as (container, stream):
            index = index if begins_as_indexed(container, stream, index) else None
    if index is None:
        with open_again() as (container, stream):
            index = count(container, stream)
    if not index.total_frames:
        raise DecodeError(path, "it holds no frames", found=0)
    return index


def _decode_by_count(video, wanted, convert):
    """Decode from the start, counting frames."""
    frames, done, found = None, 0, 0
    with video._open() as (container, stream):
        for found, frame in enumerate(decoded(container, stream), start=1):  # noqa: B007
            if found - 1 == wanted[done]:
                frames = _store(frames, done, convert(frame), wanted, video.path)
                done += 1
                if done == len(wanted):
                    return frames
    raise DecodeError(video.path, "it ends early", int(wanted[done]), found)


def _decode_by_timestamp(video, index, wanted, convert):
    """Decode frames known by timestamp, passing over groups of pictures that hold none.

    Returns None when the decoder's timestamps disagree with the index, or seeking goes wrong.
    """
    timestamps = index.timestamps[wanted]
    frames, done = None, 0
    with video._open() as (container, stream):
        while done < len(wanted):
            start = done
            try:
                for frame in _frames_from(container, stream, index, timestamps[done:]):
                    if frame.pts > timestamps[done]:
                        return None
                    if frame.pts < timestamps[done]:
                        continue
                    frames = _store(frames, done, convert(frame), wanted, video.path)
                    done += 1
                    following = timestamps[done - 1 : done + 1]
                    if done == len(wanted) or _worth_seeking(index, *following):
                        break
            except av.error.FFmpegError:
                return None  # a decode from the start tells whether the file is damaged
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
    for packet in demuxed(container, stream):
        if landed is None and packet.size:
            landed = packet.pts
            if not packet.is_keyframe or landed is None or landed > timestamps[0]:
                return
        if not packet.size and (packet.pts is not None or packet.dts is not None):
            continue
        context.skip_frame = idle if packet.size and packet.pts not in wanted else "DEFAULT"
        for frame in packet.decode():
            # Pictures before the keyframe that decoding started at refer to what was passed over.
            if frame.pts is not None and frame.pts >= landed:
                yield frame


def _store(frames, position, image, wanted, path):
    if frames is None:
        frames = aligned_empty((len(wanted), *image.shape))
    if image.shape != frames.shape[1:]:
        raise size_change(path, frames.shape[1:], image.shape, int(wanted[position]))
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
    return _upright(rgb, frame)


def _upright(image, frame):
    """A frame's picture as it is to be shown: mirrored and turned as its display matrix says."""
    try:
        matrix = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32, 9)
    except (KeyError, ValueError):
        return image
    # From a place (x, y) of the stored picture to a x + c y, b x + d y of the shown one.
    a, b, c, d = (int(value) for value in matrix[[0, 1, 3, 4]])
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


@functools.cache
def _single_thread_options():
    """One scaler thread, in the releases of PyAV where there can be more: they are far slower."""
    frame = av.VideoFrame(2, 2, "rgb24")
    try:
        VideoReformatter().reformat(frame, format="rgb24", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}
