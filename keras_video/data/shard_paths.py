"""Paths of files inside a shard: `shard:FILE#START+LENGTH/NAME`.

Code that opens files accepts such paths too: `open_bytes` and `read_bytes` return the `LENGTH`
bytes of `FILE` from byte `START` on. `NAME` is the original file name, whose suffix identifies the
file type.
"""

import io
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PREFIX = "shard:"
_PATTERN = re.compile(_PREFIX + r"(.+?)#(\d+)\+(\d+)/(.*)", re.DOTALL)


@dataclass(frozen=True)
class ShardPath:
    """A file in a shard.

    Attributes:
        file: the shard.
        start: offset of its first byte in the shard.
        length: its size in bytes.
        name: its path as it was listed.
    """

    file: str
    start: int
    length: int
    name: str

    @classmethod
    def of(cls, path):
        """The parsed `ShardPath`, or None for the path of an ordinary file."""
        path = os.fspath(path)
        match = _PATTERN.fullmatch(path) if path.startswith(_PREFIX) else None
        if match is None:
            return None
        file, start, length, name = match.groups()
        return cls(file.replace("%23", "#").replace("%25", "%"), int(start), int(length), name)

    def __fspath__(self):
        return str(self)

    def __str__(self):
        # The first "#" ends the name of the shard.
        file = self.file.replace("%", "%25").replace("#", "%23")
        return f"{_PREFIX}{file}#{self.start}+{self.length}/{self.name}"


def is_in_shard(path):
    """Whether a path is that of a file in a shard."""
    return ShardPath.of(path) is not None


def status_of(path):
    """`Path.stat` of a file, or of the shard that contains it."""
    part = ShardPath.of(path)
    return Path(path if part is None else part.file).stat()


def size_of(path, status=None):
    """The size of a file in bytes.

    Args:
        path: the file.
        status: its `status_of`, if already known.

    Raises:
        OSError: there is no such file, or its shard ends before it.
    """
    part, size = ShardPath.of(path), (status or status_of(path)).st_size
    if part is None:
        return size
    _check_length(part, size)
    return part.length


def exists(path):
    """Whether a file or folder, or the shard that contains it, exists."""
    part = ShardPath.of(path)
    return Path(path if part is None else part.file).exists()


def mapped(path, dtype, shape, start):
    """A memory-mapped array at byte `start` of a file.

    Raises:
        OSError: there is no such file.
        ValueError: the file ends before the array.
    """
    part = ShardPath.of(path)
    if part is None:
        return np.memmap(path, dtype, "r", start, shape)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if start + size > part.length:
        raise ValueError(f"{path} has {part.length} bytes, expected {start + size}")
    return np.memmap(part.file, dtype, "r", part.start + start, shape)


def open_bytes(path):
    """Opens a file for reading, as `open(path, "rb")`.

    Raises:
        OSError: there is no such file, or its shard ends before it.
    """
    part = ShardPath.of(path)
    return Path(path).open("rb") if part is None else io.BufferedReader(PartOfFile(part, path))


def read_bytes(path):
    """The bytes of a file; see `open_bytes`."""
    with open_bytes(path) as file:
        return file.read()


class PartOfFile(io.RawIOBase):
    """The bytes of a `ShardPath`, as an unbuffered file object.

    Attributes:
        name: the path.
    """

    def __init__(self, part, path):
        super().__init__()
        self._part, self.name = part, os.fspath(path)
        self._file = Path(part.file).open("rb", buffering=0)  # noqa: SIM115
        self._position = 0
        _check_length(part, os.fstat(self._file.fileno()).st_size)

    def readable(self):
        return True

    def seekable(self):
        return True

    def readinto(self, buffer):
        with memoryview(buffer) as view:
            size = max(0, min(len(view), self._part.length - self._position))
            self._file.seek(self._part.start + self._position)
            bytes_read = self._file.readinto(view[:size])
        self._position += bytes_read
        return bytes_read

    def seek(self, offset, whence=os.SEEK_SET):
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._part.length}[whence]
        if base + offset < 0:
            raise ValueError(f"received a seek to byte {base + offset}, expected 0 or more")
        self._position = base + offset
        return self._position

    def tell(self):
        return self._position

    def close(self):
        if hasattr(self, "_file"):
            self._file.close()
        super().close()


def _check_length(part, size):
    if part.start + part.length > size:
        raise OSError(
            f"the shard {part.file} has {size} bytes and {part.name} ends at byte "
            f"{part.start + part.length} of it: the shard was cut off"
        )
