"""Exact frame access to video files through PyAV."""

import functools
import os

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..arrays import aligned_empty
from .errors import DecodeError
from .frame_index import IndexCache, begins_as_indexed, count, holds_frames, scan
from .opening import MAX_PIXELS, decoded, demuxed, is_address, opened

_indices = IndexCache(capacity=20_000)
# Decoding this many frames takes about as long as a seek.
_SEEK_COST = 4
# Decoders that can skip non-reference frames without losing their position.
_SKIPPING_CODECS = frozenset({"h264", "hevc"})
# Bytes of frames that are shrunk together: balances the cost of calls and of cache misses.
_SHRUNK_TOGETHER = 2**22


class Video:
    """A video file whose frames are read by index. Returned by `open_video`.

    Attributes:
        path: the file.
        total_frames: number of frames that decoding from start to end yields.
    """

    def __init__(self, path, index, open_again=None):
        self.path = path
        self._index = index
        self._open = open_again or functools.partial(opened, path)
        self.total_frames = index.total_frames

    @property
    def times(self):
        """Presentation time of each frame in seconds, float64 `(total_frames,)`, ascending.

        They are on the clock of the file, which its audio shares: the stream's timestamps as
        stored, of which the first need not be zero. Frames without usable timestamps follow each
        other at the stream's average rate; see `frame_index.count`.
        """
        return self._index.times

    @property
    def end_time(self):
        """Seconds at which the last frame ends, on the clock of `times`."""
        return self._index.end_time

    def read(self, indices, short_side=None, shrink=None):
        """Decode frames.

        Frame `i` is the `i`-th frame of decoding from start to end, rotated according to the
        file's metadata. Frames are in the order of `indices`, which may repeat.

        Args:
            indices: integers in `[0, total_frames)`, any shape; they are flattened.
            short_side: length in pixels to which the decoder's own scaler resizes the short side.
                Its bilinear filter is antialiased, unlike that of the `Resize` transform: pixels
                differ from it by one or two levels on average, by tens at edges. None
                keeps the stored size.
            shrink: function that downsizes frames `(n, height, width, 3)` right after they are
                decoded, so that only a few are in memory at full size.

        Returns:
            uint8 array `(len(indices), height, width, 3)`, RGB.

        Raises:
            DecodeError: an index is out of range, or the file is damaged.
        """
        requested = np.asarray(indices, np.int64).reshape(-1)
        for index in requested:
            if not 0 <= index < self.total_frames:
                reason = "frame index out of range"
                raise DecodeError(self.path, reason, int(index), self.total_frames)
        if not requested.size:
            raise DecodeError(self.path, "no frame was requested", frame_count=self.total_frames)
        unique, positions = np.unique(requested, return_inverse=True)
        frames = self._decode(unique, functools.partial(_Images, self.path, short_side, shrink))
        if frames.shape[0] == requested.size and (np.diff(requested) > 0).all():
            return frames
        return frames[positions]

    def _decode(self, requested, images):
        """Decode ascending, distinct indices; `images` creates an empty `_Images` for them."""
        frames = None
        if self._index.keyframes is not None:
            frames = _decode_by_timestamp(self, self._index, requested, images(requested))
        if frames is None:
            frames = _decode_by_count(self, requested, images(requested))
        return frames


class _Images:
    """The images of decoded frames, which all have one size before they are shrunk.

    Attributes:
        count: number of images so far.
    """

    def __init__(self, path, short_side, shrink, requested):
        self._path, self._short_side, self._shrink = path, short_side, shrink
        self._requested, self._reformatter = requested, VideoReformatter()
        self._large = self._small = None
        self.count = self._shrunk = 0

    def add(self, frame):
        """Adds the next requested frame."""
        image = to_rgb(self._reformatter, self._short_side, frame)
        if self._large is None:
            self._large = aligned_empty((self._together(image.nbytes), *image.shape))
        if image.shape != self._large.shape[1:]:
            index = int(self._requested[self.count])
            raise size_change(self._path, self._large.shape[1:], image.shape, index)
        self._large[self.count - self._shrunk] = image
        self.count += 1
        if self._shrink is not None and self.count - self._shrunk == len(self._large):
            self._shrink_some()

    def all(self):
        """All images, after the last was added."""
        if self._shrink is None:
            return self._large
        if self.count > self._shrunk:
            self._shrink_some()
        return self._small

    def _together(self, size):
        """Number of images of this size in bytes that are in memory at a time."""
        count = len(self._requested)
        return count if self._shrink is None else max(1, min(count, _SHRUNK_TOGETHER // size))

    def _shrink_some(self):
        small = self._shrink(self._large[: self.count - self._shrunk])
        if len(small) == len(self._requested):
            self._small = small
        elif self._small is None:
            self._small = aligned_empty((len(self._requested), *small.shape[1:]))
        if self._small is not small:
            self._small[self._shrunk : self.count] = small
        self._shrunk = self.count


def size_change(path, before, after, index=None):
    """The `DecodeError` for a frame of another size; sizes are (height, width, ...)."""
    sizes = [f"{size[1]}x{size[0]}" for size in (before, after)]
    return DecodeError(path, f"the frame size changes from {sizes[0]} to {sizes[1]}", index)


def open_video(path, max_pixels=MAX_PIXELS, allow_url=False):
    """Index a video's frames, without decoding them if the file's timestamps allow it.

    The index is cached in the process until the file changes.

    Args:
        path: a file with a video stream, in any codec that FFmpeg reads. The file must be
            self-contained: playlists and other formats that refer to other files are rejected.
        max_pixels: files with larger frames are rejected before memory is allocated for them; the
            default allows 8K.
        allow_url: treat `path` as a URL if it is one, such as "https://...". It is opened again for
            every read; its content cannot refer to local files.

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
        index = None  # opening reports what is wrong
    if index is None:
        index = _make_index(path, open_again)
        _indices.put(path, index)
    return Video(path, index, open_again)


def _make_index(path, open_again=None):
    open_again = open_again or functools.partial(opened, path)
    with open_again() as (container, stream):
        index, is_reliable = scan(container, stream), holds_frames(container)
    if index is not None and not is_reliable:
        with open_again() as (container, stream):
            index = index if begins_as_indexed(container, stream, index) else None
    if index is None:
        with open_again() as (container, stream):
            index = count(container, stream)
    if not index.total_frames:
        raise DecodeError(path, "it holds no frames", frame_count=0)
    return index


def _decode_by_count(video, requested, images):
    """Decode from the start, counting frames."""
    count = 0
    with video._open() as (container, stream):
        for count, frame in enumerate(decoded(container, stream), start=1):  # noqa: B007
            if count - 1 == requested[images.count]:
                images.add(frame)
                if images.count == len(requested):
                    return images.all()
    raise DecodeError(video.path, "it ends early", int(requested[images.count]), count)


def _decode_by_timestamp(video, index, requested, images):
    """Decode frames known by timestamp, skipping groups of pictures that contain none.

    Returns None when the decoder's timestamps disagree with the index, or seeking goes wrong.
    """
    timestamps = index.timestamps[requested]
    with video._open() as (container, stream):
        for segment in _segments(index, timestamps):
            end = images.count + len(segment)
            try:
                for frame in _frames_from(container, stream, index, segment):
                    if frame.pts > timestamps[images.count]:
                        return None
                    if frame.pts == timestamps[images.count]:
                        images.add(frame)
                        if images.count == end:
                            break
            except av.error.FFmpegError:
                return None  # decoding from the start shows whether the file is damaged
            if images.count < end:
                return None
    return images.all()


def _segments(index, timestamps):
    """Ascending timestamps, split where a seek is cheaper than decoding up to the next one's
    keyframe."""
    rows = np.searchsorted(index.keyframes[:, 0], timestamps[1:], side="right") - 1
    keyframes = np.searchsorted(index.timestamps, index.keyframes[np.maximum(rows, 0), 0])
    skipped = keyframes - np.searchsorted(index.timestamps, timestamps[:-1])
    return np.split(timestamps, np.flatnonzero(skipped > _SEEK_COST) + 1)


def _frames_from(container, stream, index, timestamps):
    """Frames in order, from the keyframe at or before the first of the ascending `timestamps`.

    Non-reference frames that were not requested are not decoded. Yields nothing if no keyframe is
    found there.
    """
    row = index.keyframe_before(timestamps[0])
    if row is None:
        return
    context = stream.codec_context
    can_skip = context.name in _SKIPPING_CODECS
    if row > 0:
        container.seek(int(index.keyframes[row, 0]), stream=stream)
    requested, landed = set(timestamps.tolist()), None
    for packet in demuxed(container, stream):
        if landed is None and packet.size:
            landed = packet.pts
            if not packet.is_keyframe or landed is None or landed > timestamps[0]:
                return
        if not packet.size and (packet.pts is not None or packet.dts is not None):
            continue
        is_skipped = can_skip and packet.size and packet.pts not in requested
        context.skip_frame = "NONREF" if is_skipped else "DEFAULT"
        yield from _after_keyframe(packet.decode(), landed)
        requested.discard(packet.pts)
        if can_skip and not requested:
            # Frames held back for reordering are flushed without further packets.
            yield from _after_keyframe(context.decode(None), landed)
            return


def _after_keyframe(frames, landed):
    """Drops frames before the first keyframe, which refer to skipped frames."""
    return [frame for frame in frames if frame.pts is not None and frame.pts >= landed]


def to_rgb(reformatter, short_side, frame):
    """Converts a decoded frame to uint8 `(height, width, 3)`, rotated according to its metadata."""
    width, height = frame.width, frame.height
    if short_side is not None:
        scale = short_side / min(width, height)
        width, height = (max(short_side, int(side * scale + 0.5)) for side in (width, height))
    options = _single_thread_options()
    plane = reformatter.reformat(frame, width, height, "rgb24", **options).planes[0]
    # Lines are padded beyond the image width: a view saves the copy that to_ndarray() makes.
    rgb = np.ndarray((height, width, 3), np.uint8, plane, strides=(plane.line_size, 3, 1))
    return _upright(rgb, frame)


def _upright(image, frame):
    """A frame's image, flipped and rotated according to its display matrix."""
    try:
        matrix = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32, 9)
    except (KeyError, ValueError):
        return image
    # Maps the position (x, y) in the stored image to (a x + c y, b x + d y) in the displayed one.
    a, b, c, d = (int(value) for value in matrix[[0, 1, 3, 4]])
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


@functools.cache
def _single_thread_options():
    """Options for a single scaler thread, if PyAV supports several, which are far slower."""
    frame = av.VideoFrame(2, 2, "rgb24")
    try:
        VideoReformatter().reformat(frame, format="rgb24", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}
