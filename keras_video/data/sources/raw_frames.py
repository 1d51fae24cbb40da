"""Videos stored as folders of images: RGB frames and optical flow."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..annotations.formats import frame_lines
from ..decoding.gather_frames import pick, size_change
from ..decoding.images import (
    apply_orientation,
    decode_image,
    decode_jpegs,
    exif_orientation,
    jpeg_size,
    jpeg_window,
    read_bytes,
    read_image,
)
from ..decoding.videos import DecodeError
from ..shard_paths import is_in_shard
from .frame_files import check_start, folders_of_frames, frames_of, number_pattern
from .shard_tables import in_shard


@dataclasses.dataclass(frozen=True)
class RawFrames:
    """Folders of RGB frames: uint8 `(clips * clip_len, height, width, 3)`.

    A record names the folder. The number of frames is that of the record, otherwise of the folder.
    Each JPEG is rotated according to its own EXIF orientation; optical flow is not.

    Args:
        template: file name of a frame, with one field for its number; jpg or png. It may include a
            subfolder of the record's folder: `"rgb/{:05}.jpg"`.
        start_index: number of the first frame; None detects it for each folder.

    Raises:
        ValueError: for a template without a field, or with several, or a negative start.
    """

    template: str = "img_{:05}.jpg"
    start_index: int | None = None

    annotation_format = staticmethod(frame_lines)
    dtype = "uint8"
    cuts_early = True

    def __post_init__(self):
        number_pattern(self.template, 1)
        check_start(self.start_index)

    def open(self, record, rng=None):
        if is_in_shard(record.path):
            return self.open_packed(in_shard(record))
        start, total = frames_of(record, self.template, self.start_index)

        def load(index):
            path = self._file(record, start + index)
            return path, read_bytes(path)

        return _Images(record.path, total, load)

    def files(self, record):
        """Paths of the frames of a record, in order."""
        start, total = frames_of(record, self.template, self.start_index)
        return [self._file(record, number) for number in range(start, start + total)]

    def open_packed(self, packed):
        """Opens an example whose files are a `Packed`."""
        data, path = packed.data, packed.record.path
        return _Images(path, len(data), lambda i: (packed.names[i], data[i]))

    def _file(self, record, number):
        return Path(record.path, self.template.format(number))

    def shape(self, clips, clip_len):
        return (clips and clips * clip_len, None, None, 3)

    def find(self, folder, follow_links=True):
        return folders_of_frames(folder, self.template, (), follow_links)


@dataclasses.dataclass(frozen=True)
class FlowFrames:
    """Folders of optical flow, with one gray image per direction.

    Read as uint8 `(clips * clip_len, height, width, 2)`, x before y, as video networks expect it.
    If stacked, the pairs of a clip are the channels of one image: `(clips, height, width,
    2 * clip_len)` in the order x, y, x, y, ..., the input of TSN (arXiv:1608.00859), with clips of
    five pairs. `Flip(flow=True)` and `Normalize` support both.

    Args:
        template: file name of an image; its first field is "x" or "y", the second the number.
        start_index: number of the first pair; None detects it for each folder.
        stacked: stack the pairs of a clip.

    Raises:
        ValueError: for a template without two fields, or a negative start.
    """

    template: str = "{}_{:05d}.jpg"
    start_index: int | None = None
    stacked: bool = False

    annotation_format = staticmethod(frame_lines)
    dtype = "uint8"

    def __post_init__(self):
        number_pattern(self.template, 2)
        check_start(self.start_index)

    def open(self, record, rng=None):
        if is_in_shard(record.path):
            return self.open_packed(in_shard(record))
        start, total = frames_of(record, self.template, self.start_index, ("x",))

        def load(index):
            return _pair(record.path, *map(_read_gray, self._files(record, start + index)))

        return self._flow(record.path, total, load)

    def files(self, record):
        """Paths of the images of a record: x, y, x, y, ..."""
        start, total = frames_of(record, self.template, self.start_index, ("x",))
        numbers = range(start, start + total)
        return [path for number in numbers for path in self._files(record, number)]

    def open_packed(self, packed):
        """Opens an example whose files are a `Packed`."""

        def image(number):
            return packed.names[number], decode_image(packed.data[number], 1, packed.names[number])

        def load(index):
            return _pair(packed.record.path, image(2 * index), image(2 * index + 1))

        return self._flow(packed.record.path, len(packed.data) // 2, load)

    def _files(self, record, number):
        return [Path(record.path, self.template.format(axis, number)) for axis in "xy"]

    def _flow(self, path, total, load):
        return (_Stacked if self.stacked else _Frames)(path, total, load)

    def shape(self, clips, clip_len):
        if self.stacked:
            return (clips, None, None, 2 * clip_len)
        return (clips and clips * clip_len, None, None, 2)

    def find(self, folder, follow_links=True):
        return folders_of_frames(folder, self.template, ("x",), follow_links)


@dataclasses.dataclass(frozen=True)
class _Frames:
    """The frames of a folder, loaded by number; see `keras_video.data.sources.videos.Opened`."""

    path: str
    total_frames: int
    load: Callable[[int], np.ndarray]

    def read(self, indices):
        return pick(self.path, indices, self.total_frames, lambda numbers: map(self.load, numbers))


@dataclasses.dataclass(frozen=True)
class _Images:
    """The images of a folder; see `keras_video.data.sources.videos.Opened`.

    Attributes:
        load: function from the number of a frame to its name and the bytes of its file.
    """

    path: str
    total_frames: int
    load: Callable[[int], tuple[str, bytes]]

    def read(self, indices):
        return self.read_box(indices, lambda height, width: None)[0]

    def read_box(self, indices, box_of):
        """The frames, cropped to a box while they are decoded, if possible.

        Args:
            indices: as for `read`.
            box_of: function from height and width of the frames to the box (top, left, height,
                width), or to None if whole frames are needed.

        Returns:
            `(frames, inner)`: the result of `read`, or only the part around the box; and the box
            relative to that part, None if frames are whole.
        """
        window = inner = None

        def images(numbers):
            nonlocal window, inner
            names, data = zip(*map(self.load, numbers), strict=True)
            orientations = [exif_orientation(jpeg) for jpeg in data]
            if orientations != [1] * len(orientations):
                # Rare: the cropped and batched decoding below keeps the stored orientation.
                whole = map(decode_image, data, [3] * len(data), names)
                return map(apply_orientation, whole, orientations)
            sizes = [jpeg_size(jpeg) for jpeg in data]
            box = sizes[0] and box_of(*sizes[0])
            if box:
                window, inner = jpeg_window(box, sizes[0][1])
            if sizes[0] and sizes == [sizes[0]] * len(sizes):
                frames = decode_jpegs(data, window)
                if frames is not None:
                    return frames
            if window:
                self._check_sizes(names, data, sizes, numbers)
            return map(lambda file, name: decode_image(file, 3, name, window), data, names)

        return pick(self.path, indices, self.total_frames, images), inner

    def _check_sizes(self, names, data, sizes, numbers):
        """Rejects images of different sizes, whose windows would have equal sizes."""
        for name, file, size, index in zip(names, data, sizes, numbers, strict=True):
            size = size or decode_image(file, 3, name).shape[:2]
            if size != sizes[0]:
                raise size_change(self.path, sizes[0], size, int(index))


class _Stacked(_Frames):
    """Flow pairs, stacked per clip as the channels of one image."""

    def read(self, indices):
        pairs = super().read(indices)
        _, height, width, _ = pairs.shape
        clips = pairs.reshape(*np.shape(indices), height, width, 2)
        return np.moveaxis(clips, 1, 3).reshape(len(clips), height, width, -1)


def _read_gray(path):
    return path.name, read_image(path, 1, turn=False)


def _pair(folder, x, y):
    """Joins the two directions, each a name and an image, as channels of one image."""
    if x[1].shape != y[1].shape:
        raise DecodeError(folder, f"{x[0]} and {y[0]} differ in size")
    return np.concatenate([x[1], y[1]], axis=-1)
