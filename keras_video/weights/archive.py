"""The file formats of `torch.save`: locates the object pickle and the raw storages."""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from typing import BinaryIO, Protocol

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, Placeholder, describe
from keras_video.weights.pickled_tensors import ELEMENT_TYPES, Storage
from keras_video.weights.unpickler import MAX_PICKLE_BYTES, load_pickle
from keras_video.weights.vocabulary import CheckpointVocabulary
from keras_video.weights.zip_directory import check_directory

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
# The first bytes of the magic number's pickle: the protocol, from protocol 4 on a frame of 8 more
# bytes, and an integer of 10 bytes.
_LEGACY_START = re.compile(rb"\x80.(?:\x95.{8})?\x8a\x0a", re.DOTALL)
_START_BYTES = 13
_LEGACY_PROTOCOL = 1001
_CHUNK = 1 << 20

# Exceptions of the zip reader for a damaged directory, header, name or checksum.
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Archive(Protocol):
    """An open checkpoint: its root object, and the raw bytes of its storages on demand."""

    root: object
    big_endian: bool

    def storage(self, key: str) -> Storage: ...

    def read(self, key: str) -> np.ndarray: ...


def open_archive(file: BinaryIO) -> Archive:
    """Reads the root object of a checkpoint file; storages are read on demand.

    Raises:
        CheckpointError: the file is neither a zip of `torch.save` nor a pickle, or is damaged or
            malicious.
    """
    start = file.read(_START_BYTES)
    file.seek(0)
    if start[:4] == b"PK\x03\x04":
        return ZipArchive(file)
    if start[:1] == b"\x80":
        return LegacyArchive(file) if _LEGACY_START.match(start) else PlainArchive(file)
    raise CheckpointError(
        "expected a file written by torch.save (zip or pickle), received the first bytes "
        f"{start[:4]!r}"
    )


class ZipArchive:
    """The format since PyTorch 1.6: an uncompressed zip with `data.pkl` and `data/<key>`."""

    def __init__(self, file: BinaryIO):
        self._bytes_left = os.fstat(file.fileno()).st_size
        check_directory(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except _ZIP_FAULTS as error:
            raise CheckpointError(f"damaged zip archive: {error}") from None
        if len(self._zip.filelist) != len(self._zip.NameToInfo):
            raise CheckpointError("entries of the archive have the same name")
        self._folder = self._find_folder()
        self._vocabulary = CheckpointVocabulary()
        pickled = self._read_member("data.pkl", MAX_PICKLE_BYTES).tobytes()
        self.root, _ = load_pickle(pickled, self._vocabulary)
        self.big_endian = self._read_byte_order()

    def storage(self, key: str) -> Storage:
        return self._vocabulary.storages[key]

    def read(self, key: str) -> np.ndarray:
        """Reads a storage as raw bytes, shape (bytes,)."""
        storage = self.storage(key)
        width = ELEMENT_TYPES[storage.element].itemsize
        info = self._find(f"data/{key}")
        if info.file_size // width != storage.length:
            raise CheckpointError(
                f"storage {key[:80]!r} has {info.file_size} bytes, expected {storage.length} "
                f"elements of {width} bytes"
            )
        return self._read_member(f"data/{key}", info.file_size)

    def _find_folder(self) -> str:
        names = self._zip.namelist()
        folders = [n[: -len("data.pkl")] for n in names if n.endswith("/data.pkl")]
        folders = [folder for folder in folders if folder.count("/") == 1]
        if len(folders) != 1:
            raise CheckpointError(f"expected one data.pkl in the archive, found {len(folders)}")
        return folders[0]

    def _find(self, name: str) -> zipfile.ZipInfo:
        info = self._zip.NameToInfo.get(self._folder + name)
        if info is None:
            raise CheckpointError(f"the archive has no entry {name[:80]!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise CheckpointError(f"entry {name[:80]!r} is compressed: torch.save only stores")
        return info

    def _read_member(self, name: str, limit: int) -> np.ndarray:
        info = self._find(name)
        # Overlapping entries could otherwise allocate far more than the size of the file.
        if info.file_size > min(limit, self._bytes_left):
            raise CheckpointError(f"entry {name[:80]!r} claims {info.file_size} bytes")
        self._bytes_left -= info.file_size
        try:
            with self._zip.open(info) as member:
                return _read_exactly(member, info.file_size)
        except CheckpointError:
            raise
        except _ZIP_FAULTS as error:
            raise CheckpointError(f"damaged entry {name[:80]!r}: {error}") from None

    def _read_byte_order(self) -> bool:
        if self._folder + "byteorder" not in self._zip.NameToInfo:
            return False
        order = self._read_member("byteorder", 16).tobytes()
        if order not in (b"little", b"big"):
            raise CheckpointError(f"expected the byte order little or big, received {order!r}")
        return order == b"big"


class LegacyArchive:
    """The format before PyTorch 1.6: five pickles, then every storage preceded by its length."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._vocabulary = CheckpointVocabulary()
        head = file.read(MAX_PICKLE_BYTES)
        position = self._read_preamble(head)
        self.root, position = load_pickle(head, self._vocabulary, position)
        keys, position = load_pickle(head, self._vocabulary, position)
        self._positions = self._locate(keys, position)

    def storage(self, key: str) -> Storage:
        return self._vocabulary.storages[key]

    def read(self, key: str) -> np.ndarray:
        """Reads a storage as raw bytes, shape (bytes,)."""
        if key not in self._positions:
            raise CheckpointError(f"the file has no storage {key[:80]!r}")
        storage = self.storage(key)
        self._file.seek(self._positions[key])
        width = ELEMENT_TYPES[storage.element].itemsize
        return _read_exactly(self._file, storage.length * width)

    def _read_preamble(self, head: bytes) -> int:
        magic, position = load_pickle(head, self._vocabulary)
        if magic != _LEGACY_MAGIC:
            raise CheckpointError("a pickle, but not one written by torch.save (no magic number)")
        protocol, position = load_pickle(head, self._vocabulary, position)
        if isinstance(protocol, Placeholder) or protocol != _LEGACY_PROTOCOL:
            raise CheckpointError(f"expected format 1001, received {describe(protocol)}")
        system, position = load_pickle(head, self._vocabulary, position)
        if not isinstance(system, dict):
            raise CheckpointError(f"expected system information, received {describe(system)}")
        self.big_endian = system.get("little_endian", True) is False
        return position

    def _locate(self, keys: object, position: int) -> dict[str, int]:
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise CheckpointError(f"expected a list of storage keys, received {describe(keys)}")
        positions: dict[str, int] = {}
        for key in keys:
            storage = self.storage(key)
            self._file.seek(position)
            order = "big" if self.big_endian else "little"
            count = int.from_bytes(self._file.read(8), order)
            if count != storage.length:
                raise CheckpointError(
                    f"storage {key[:80]!r} has {count} elements, expected {storage.length}"
                )
            if key in positions:
                raise CheckpointError(f"storage {key[:80]!r} is listed twice")
            positions[key] = position + 8
            position += 8 + count * ELEMENT_TYPES[storage.element].itemsize
            if position > self._size:
                raise CheckpointError(
                    f"the file ends within storage {key[:80]!r}: {position} bytes expected, "
                    f"{self._size} found"
                )
        return positions


class PlainArchive:
    """A pickle without separate storages: NumPy arrays, such as Caffe2's blobs."""

    big_endian = False

    def __init__(self, file: BinaryIO):
        size = os.fstat(file.fileno()).st_size
        # The content of the arrays is part of the pickle.
        data = file.read(size)
        self.root, _ = load_pickle(data, CheckpointVocabulary(max(size, MAX_PICKLE_BYTES)))

    def storage(self, key: str) -> Storage:
        raise CheckpointError(f"a plain pickle has no storage {key[:80]!r}")

    read = storage


def _read_exactly(file: BinaryIO, size: int) -> np.ndarray:
    content = np.empty(size, np.uint8)
    view = memoryview(content)
    received = 0
    while received < size:
        count = file.readinto(view[received : received + _CHUNK])
        if not count:
            raise CheckpointError(f"the file ends early: expected {size} bytes, got {received}")
        received += count
    if isinstance(file, zipfile.ZipExtFile):
        # The checksum is verified when the end is reached.
        file.read(1)
    return content
