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
# Decoding so many frames takes about as long as a seek.
_SEEK_COST = 4
# Decoders that can pass over a frame nothing refers to without losing their place.
_PASSING_CODECS = frozenset({"h264", "hevc"})
# Bytes of frames that are shrunk together: calls cost time, and so does what no cache holds.
_SHRUNK_TOGETHER = 2**22


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
            shrink: function that makes frames `(n, height, width, 3)` smaller soon after they
                were decoded, so that only a few are in memory at full size.

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
        frames = self._decode(unique, functools.partial(_Images, self.path, short_side, shrink))
        if frames.shape[0] == wanted.size and (np.diff(wanted) > 0).all():
            return frames
        return frames[positions]

    def _decode(self, wanted, images):
        """Decode ascending, distinct indices; `images` makes an empty `_Images` of them."""
        frames = None
        if self._index.keyframes is not None:
            frames = _decode_by_timestamp(self, self._index, wanted, images(wanted))
        if frames is None:
            frames = _decode_by_count(self, wanted, images(wanted))
        return frames


class _Images:
    """The images of decoded frames, which all have one size before they are shrunk.

    Attributes:
        count: how many there are so far.
    """

    def __init__(self, path, short_side, shrink, wanted):
        self._path, self._short_side, self._shrink = path, short_side, shrink
        self._wanted, self._reformatter = wanted, VideoReformatter()
        self._large = self._small = None
        self.count = self._shrunk = 0

    def add(self, frame):
        """Takes the next of the wanted frames."""
        image = to_rgb(self._reformatter, self._short_side, frame)
        if self._large is None:
            self._large = aligned_empty((self._together(image.nbytes), *image.shape))
        if image.shape != self._large.shape[1:]:
            index = int(self._wanted[self.count])
            raise size_change(self._path, self._large.shape[1:], image.shape, index)
        self._large[self.count - self._shrunk] = image
        self.count += 1
        if self._shrink is not None and self.count - self._shrunk == len(self._large):
            self._shrink_some()

    def all(self):
        """All of them, after the last was added."""
        if self._shrink is None:
            return self._large
        if self.count > self._shrunk:
            self._shrink_some()
        return self._small

    def _together(self, size):
        """How many images of so many bytes are in memory at a time."""
        count = len(self._wanted)
        return count if self._shrink is None else max(1, min(count, _SHRUNK_TOGETHER // size))

    def _shrink_some(self):
        small = self._shrink(self._large[: self.count - self._shrunk])
        if len(small) == len(self._wanted):
            self._small = small
        elif self._small is None:
            self._small = aligned_empty((len(self._wanted), *small.shape[1:]))
        if self._small is not small:
            self._small[self._shrunk : self.count] = small
        self._shrunk = self.count


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


def _decode_by_count(video, wanted, images):
    """Decode from the start, counting frames."""
    found = 0
    with video._open() as (container, stream):
        for found, frame in enumerate(decoded(container, stream), start=1):  # noqa: B007
            if found - 1 == wanted[images.count]:
                images.add(frame)
                if images.count == len(wanted):
                    return images.all()
    raise DecodeError(video.path, "it ends early", int(wanted[images.count]), found)


def _decode_by_timestamp(video, index, wanted, images):
    """Decode frames known by timestamp, passing over groups of pictures that hold none.

    Returns None when the decoder's timestamps disagree with the index, or seeking goes wrong.
    """
    timestamps = index.timestamps[wanted]
    with video._open() as (container, stream):
        for stretch in _stretches(index, timestamps):
            end = images.count + len(stretch)
            try:
                for frame in _frames_from(container, stream, index, stretch):
                    if frame.pts > timestamps[images.count]:
                        return None
                    if frame.pts == timestamps[images.count]:
                        images.add(frame)
                        if images.count == end:
                            break
            except av.error.FFmpegError:
                return None  # a decode from the start tells whether the file is damaged
            if images.count < end:
                return None
    return images.all()


def _stretches(index, timestamps):
    """Ascending timestamps, parted where more frames lie before the next one's keyframe than a
    seek costs."""
    rows = np.searchsorted(index.keyframes[:, 0], timestamps[1:], side="right") - 1
    keyframes = np.searchsorted(index.timestamps, index.keyframes[np.maximum(rows, 0), 0])
    passed_over = keyframes - np.searchsorted(index.timestamps, timestamps[:-1])
    return np.split(timestamps, np.flatnonzero(passed_over > _SEEK_COST) + 1)


def _frames_from(container, stream, index, timestamps):
    """Frames in order, from the keyframe at or before the first of the ascending `timestamps`.

    Frames that nothing refers to and nobody wants are not decoded. Nothing is given when no
    keyframe is found there.
    """
    row = index.keyframe_before(timestamps[0])
    if row is None:
        return
    context = stream.codec_context
    passes = context.name in _PASSING_CODECS
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
        idle = passes and packet.size and packet.pts not in wanted
        context.skip_frame = "NONREF" if idle else "DEFAULT"
        yield from _shown(packet.decode(), landed)
        wanted.discard(packet.pts)
        if passes and not wanted:
            # What it holds back for the order of showing comes out without further packets.
            yield from _shown(context.decode(None), landed)
            return


def _shown(frames, landed):
    """Without pictures before the keyframe begun at, which refer to what was passed over."""
    return [frame for frame in frames if frame.pts is not None and frame.pts >= landed]


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
