"""Checks the directory size of a zip archive before Python's zip reader allocates memory for it."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from keras_video.weights.pickle_vm import CheckpointError

# 4 MB hold forty thousand entries of torch.save, for which the zip reader needs about 20 MB.
MAX_DIRECTORY_BYTES = 1 << 22

_END = b"PK\x05\x06"
_END_BYTES = 22
_MAX_COMMENT_BYTES = 65535
_LOCATOR = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_LARGE_END = b"PK\x06\x06"
_LARGE_END_BYTES = 56


def check_directory(file: BinaryIO) -> None:
    """Rejects an archive whose directory is excessively large.

    Raises:
        CheckpointError: with the directory's size.
    """
    size = max(_directory_sizes(file), default=0)
    file.seek(0)
    if size > MAX_DIRECTORY_BYTES:
        raise CheckpointError(
            f"the directory of the zip archive has {size} bytes, expected at most "
            f"{MAX_DIRECTORY_BYTES}"
        )


def _directory_sizes(file: BinaryIO) -> list[int]:
    """The directory sizes in the archive's end record and, beyond 4 GB, in its zip64 record."""
    total = os.fstat(file.fileno()).st_size
    start = max(0, total - _END_BYTES - _MAX_COMMENT_BYTES)
    file.seek(start)
    tail = file.read()
    position = tail.rfind(_END)
    if position < 0 or len(tail) < position + _END_BYTES:
        return []
    sizes = [struct.unpack_from("<L", tail, position + 12)[0]]
    if sizes[0] == 0xFFFFFFFF:
        sizes.clear()
    end = start + position
    if end >= _LOCATOR_BYTES:
        file.seek(end - _LOCATOR_BYTES)
        locator = file.read(_LOCATOR_BYTES)
        if locator.startswith(_LOCATOR):
            sizes.append(_large_directory_size(file, struct.unpack_from("<Q", locator, 8)[0], end))
    return sizes


def _large_directory_size(file: BinaryIO, offset: int, end: int) -> int:
    # The reader uses the record directly before its locator.
    sizes = [0]
    for position in (offset, end - _LOCATOR_BYTES - _LARGE_END_BYTES):
        if 0 <= position < end:
            file.seek(position)
            record = file.read(_LARGE_END_BYTES)
            if record.startswith(_LARGE_END) and len(record) == _LARGE_END_BYTES:
                sizes.append(struct.unpack_from("<Q", record, 40)[0])
    return max(sizes)
