"""Random access to an uncompressed part of a zip file."""

import io
import os
import struct
import zipfile
from pathlib import Path

_HEADER = struct.Struct("<4s22xHH")  # local header; lengths of name and extra field


class StoredPart(io.RawIOBase):
    """The bytes of an uncompressed part, as a seekable file.

    `ZipFile.open` reads from the beginning again on every backward seek, of which HDF5 readers do
    hundreds.

    Args:
        path: the zip file.
        part: the part's `ZipInfo`.

    Raises:
        BadZipFile: there is no such part, or its size does not match the file.
    """

    def __init__(self, path, part):
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115
        try:
            self._file.seek(part.header_offset)
            header = self._file.read(_HEADER.size)
            if len(header) < _HEADER.size or not header.startswith(b"PK\x03\x04"):
                raise zipfile.BadZipFile(f"received no header of {part.filename!r:.200}")
            self._start = part.header_offset + _HEADER.size + sum(_HEADER.unpack(header)[1:])
            self._size = part.file_size
            available = os.fstat(self._file.fileno()).st_size - self._start
            if part.compress_type != zipfile.ZIP_STORED or not (
                part.compress_size == self._size <= available
            ):
                raise zipfile.BadZipFile(
                    f"{part.filename!r:.200}: received {part.compress_size} bytes of {self._size}"
                )
        except BaseException:
            self._file.close()
            raise
        self._position = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._position

    def seek(self, offset, whence=os.SEEK_SET):
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        view = view[: max(0, self._size - self._position)]
        self._file.seek(self._start + self._position)
        count = self._file.readinto(view)
        self._position += count
        return count

    def close(self):
        self._file.close()
        super().close()
