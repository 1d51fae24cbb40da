"""Sources: readers of the frames of an example.

A source is a frozen dataclass that opens the record of an example and then reads frames by number.
The pipeline does not depend on the type of source: any object with the methods of `Source` can be
passed to `video_dataset(source=...)`. Folders of frames are in
`keras_video.data.sources.raw_frames`.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ..annotations.formats import part_lines, video_lines
from ..decoding.damage import reject_damaged
from ..decoding.gather_frames import StillImage
from ..decoding.images import read_image
from ..decoding.opencv import open_video_with_opencv
from ..decoding.opening import MAX_PIXELS
from ..decoding.videos import open_video
from ..sampling import check_whole
from ..shard_paths import is_in_shard
from .folder_walk import walk_folder
from .shard_tables import in_shard

VIDEO_SUFFIXES = frozenset(
    (".3g2", ".3gp", ".amv", ".asf", ".avi", ".divx", ".dv", ".flv", ".gif", ".m1v", ".m2t")
    + (".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts")
    + (".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".webm", ".wmv", ".wtv")
    + (".y4m",)
)
# Videos as well, but usually pieces of a disc or a stream, each of which is not a whole video. In a
# class folder they are more likely a mistake, so they are read only on request.
PIECE_SUFFIXES = frozenset((".f4v", ".m2ts", ".vob"))
ALL_VIDEO_SUFFIXES = VIDEO_SUFFIXES | PIECE_SUFFIXES
IMAGE_SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png"))


class Opened(Protocol):
    """An example that a source has opened.

    Attributes:
        total_frames: number of frames that samplers may choose from.
        labels: class indices, if the opened example determines them instead of the record.
            Optional.
    """

    total_frames: int

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The frames of all clips.

        Args:
            indices: int64 `(clips, clip_len)` in `[0, total_frames)`, as returned by a sampler.

        Returns:
            Array of the source's `dtype` and of the shape that its method `shape` returns.

        Raises:
            DecodeError: the frames cannot be read.
        """


class Source(Protocol):
    """The interface of a source. Sources are pickled: they hold settings, not files.

    Attributes:
        annotation_format: the usual format of its annotation files, see
            `keras_video.data.annotations.formats`.
        dtype: NumPy dtype name of the frames, such as "uint8".
        cuts_early: True if the result of `open` can crop frames while it decodes them: it has a
            method `read_box` like that of `RawFrames`. Optional.
    """

    annotation_format: object
    dtype: str

    def open(self, record, rng: np.random.Generator) -> Opened:
        """Opens the example of a `Record`; `rng` is for sources that choose among several files.

        Raises:
            DecodeError: it cannot be opened.
        """

    def shape(self, clips: int | None, clip_len: int) -> tuple[int | None, ...]:
        """Shape of the frames of this many clips; None for sizes that depend on the example."""

    def find(self, folder: Path, follow_links: bool = True) -> list[Path]:
        """The examples in a folder and its subfolders, sorted, without hidden ones."""


@dataclasses.dataclass(frozen=True)
class Videos:
    """Video files: uint8 `(clips * clip_len, height, width, 3)`, RGB.

    Args:
        decoder: `"pyav"`, which seeks to the requested frames and reads only them; or
            `"opencv"`, which needs the extra `opencv` and decodes every file from its start, so
            it is slower. Frame numbers are the same, pixels differ by rounding.
        short_side: see `Video.read`; for "pyav" only.
        suffixes: suffixes of video files, for searches of folders; lower case, with the dot.
        shrink: see `Video.read`; for "pyav" only. Pipelines set it to their first transform.
        max_pixels: files whose frames have more pixels are rejected; see `open_video`.
        damage: `"conceal"` reads what FFmpeg decodes of a damaged file, with missing parts filled
            in. `"error"` raises a `DecodeError` for all damage that `check_video` finds; every file
            is decoded from start to end when a process first opens it. For "pyav" only.

    Raises:
        ValueError: for another decoder or another value of `damage`, a limit below 1, a short
            side, shrinking or `damage="error"` with OpenCV, or suffixes without a dot.
    """

    decoder: Literal["pyav", "opencv"] = "pyav"
    short_side: int | None = None
    shrink: Callable | None = None
    # The frames of an intact file do not depend on these.
    suffixes: frozenset[str] = dataclasses.field(default=VIDEO_SUFFIXES, repr=False)
    max_pixels: int = dataclasses.field(default=MAX_PIXELS, repr=False)
    damage: Literal["conceal", "error"] = dataclasses.field(default="conceal", repr=False)

    annotation_format = staticmethod(video_lines)
    dtype = "uint8"

    def __post_init__(self):
        if self.decoder not in ("pyav", "opencv"):
            raise ValueError(f"received decoder={self.decoder!r}, expected 'pyav' or 'opencv'")
        if self.short_side is not None:
            check_whole("short_side", self.short_side, 1)
        if self.decoder == "opencv" and self.short_side is not None:
            raise ValueError(
                f"received short_side={self.short_side} with decoder='opencv', expected None"
            )
        if isinstance(self.suffixes, str) or any(
            suffix[:1] != "." or suffix != suffix.lower() for suffix in self.suffixes
        ):
            raise ValueError(
                f"received suffixes={self.suffixes!r}, expected suffixes such as {{'.mp4', '.vob'}}"
            )
        if self.damage not in ("conceal", "error"):
            raise ValueError(f"received damage={self.damage!r}, expected 'conceal' or 'error'")
        if self.decoder == "opencv" and self.damage != "conceal":
            raise ValueError(
                f"received damage={self.damage!r} with decoder='opencv', expected 'conceal'"
            )
        if self.max_pixels < 1:
            raise ValueError(f"received max_pixels={self.max_pixels}, expected at least 1")
        if self.decoder == "opencv" and self.shrink is not None:
            raise ValueError(f"received shrink={self.shrink} with decoder='opencv', expected None")

    def open(self, record, rng=None):
        return self.open_file(record.path)

    def open_file(self, path):
        """Opens a video file."""
        if self.decoder == "opencv":
            return open_video_with_opencv(path, self.max_pixels)
        if self.damage == "error":
            reject_damaged(path, self.max_pixels)
        video = open_video(path, self.max_pixels)
        if self.short_side is None and self.shrink is None:
            return video
        return _Smaller(video, self.short_side, self.shrink)

    def shape(self, clips, clip_len):
        return (clips and clips * clip_len, None, None, 3)

    def find(self, folder, follow_links=True):
        return files_in(folder, self.suffixes, follow_links)


@dataclasses.dataclass(frozen=True)
class VideoParts:
    """Long videos that were split into files, one of which is drawn each time (OmniSource).

    A record names the folder of the parts, and the numbers that may be drawn (`part_lines`).

    Args:
        template: file name of a part in the record's folder. A template that does not begin with
            a letter is appended to the record's path instead: `_part{}.mp4`.
        videos: how the parts are read.

    Raises:
        ValueError: the template has no field for the number.
    """

    template: str = "part_{}.mp4"
    videos: Videos = Videos()

    annotation_format = staticmethod(part_lines)
    dtype = "uint8"

    def __post_init__(self):
        if self.template.format(0) == self.template.format(1):
            raise ValueError(f"received template={self.template!r}, expected one like 'part_{{}}'")

    def open(self, record, rng):
        if not record.parts:
            raise ValueError(
                f"{record.source}: received a record without parts, expected one of `part_lines`"
            )
        return self.videos.open_file(self.files(record)[rng.integers(len(record.parts))])

    def files(self, record):
        """Paths of the parts that may be drawn."""
        if is_in_shard(record.path):
            return in_shard(record).names
        separator = "/" if self.template[0].isalpha() else ""
        return [f"{record.path}{separator}{self.template.format(part)}" for part in record.parts]

    def shape(self, clips, clip_len):
        return self.videos.shape(clips, clip_len)

    def find(self, folder, follow_links=True):
        raise ValueError(
            f"received the folder {folder}, expected an annotation file that lists which parts "
            "of a video show its class"
        )


@dataclasses.dataclass(frozen=True)
class Images:
    """Images as static clips: uint8 `(clips * clip_len, height, width, 3)`, RGB.

    An image is treated as a video of `frames` identical frames, so any sampler works.
    Images are rotated according to their EXIF orientation.

    Args:
        frames: length of the video.
    """

    frames: int = 1

    annotation_format = staticmethod(video_lines)
    dtype = "uint8"

    def __post_init__(self):
        check_whole("frames", self.frames, 1)

    def open(self, record, rng=None):
        return StillImage(record.path, self.frames, read_image)

    def shape(self, clips, clip_len):
        return (clips and clips * clip_len, None, None, 3)

    def find(self, folder, follow_links=True):
        return files_in(folder, IMAGE_SUFFIXES, follow_links)


def files_in(folder, suffixes, follow_links=True):
    """Files with these suffixes in a folder and its subfolders, sorted, without hidden ones.

    Args:
        folder: where to look.
        suffixes: lower case, with the dot; they match case-insensitively.
        follow_links: see `walk_folder`.
    """
    return sorted(
        path / name
        for path, names in walk_folder(folder, follow_links)
        for name in names
        if Path(name).suffix.lower() in suffixes
    )


@dataclasses.dataclass(frozen=True)
class _Smaller:
    """A video whose frames are downsized while they are decoded."""

    video: object
    short_side: int | None
    shrink: Callable | None

    @property
    def total_frames(self):
        return self.video.total_frames

    def read(self, indices):
        return self.video.read(indices, self.short_side, self.shrink)
