"""How large the directory of a zip archive is, before Python's zip reader takes memory for it."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from keras_video.weights.pickle_vm import CheckpointError

# 4 MB hold forty thousand entries as torch.save names them; the zip reader needs some 20 MB then.
MAX_DIRECTORY_BYTES = 1 << 22

_END = b"PK\x05\x06"
_END_BYTES = 22
_LONGEST_COMMENT = 65535
_LOCATOR = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_LARGE_END = b"PK\x06\x06"
_LARGE_END_BYTES = 56


def check_directory(file: BinaryIO) -> None:
    """Refuses an archive whose directory is beyond all need.

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
    """The size that the archive's end gives, and the one of an archive beyond 4 GB."""
    total = os.fstat(file.fileno()).st_size
    start = max(0, total - _END_BYTES - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + _END_BYTES:
        return []
    sizes = [struct.unpack_from("<L", tail, place + 12)[0]]
    if sizes[0] == 0xFFFFFFFF:
        sizes.clear()
    end = start + place
    if end >= _LOCATOR_BYTES:
        file.seek(end - _LOCATOR_BYTES)
        locator = file.read(_LOCATOR_BYTES)
        if locator.startswith(_LOCATOR):
            sizes.append(_large_directory_size(file, struct.unpack_from("<Q", locator, 8)[0], end))
    return sizes


def _large_directory_size(file: BinaryIO, offset: int, end: int) -> int:
    # The reader takes the record that lies right before its locator.
    sizes = [0]
    for place in (offset, end - _LOCATOR_BYTES - _LARGE_END_BYTES):
        if 0 <= place < end:
            file.seek(place)
            record = file.read(_LARGE_END_BYTES)
            if record.startswith(_LARGE_END) and len(record) == _LARGE_END_BYTES:
                sizes.append(struct.unpack_from("<Q", record, 40)[0])
    return max(sizes)
