"""An example and its files as one string of bytes."""

import dataclasses
import os
import tempfile
from pathlib import Path

import tensorflow as tf

from ..annotations.records import Record
from ..decoding.videos import DecodeError


def pack(record, number, source):
    """The bytes of a record and its files.

    Args:
        record: a `Record`.
        number: its place among all records, which decides about its random draws.
        source: what knows the record's files.

    Raises:
        OSError, DecodeError: a file cannot be read.
    """
    files = [Path(path) for path in files_of(source, record)]
    root = Path(record.path).parent
    annotated = record.annotated
    numbers = {
        "number": [number],
        "line": [record.line],
        "labels": record.labels,
        "parts": record.parts,
        "total_frames": [] if record.total_frames is None else [record.total_frames],
        "annotated": [n for one in annotated or () for n in (one.start, one.stop)],
        "all_annotated": [int(annotated is None)],
    }
    words = {
        "path": [record.path],
        "file": [record.file],
        "names": [os.path.relpath(path, root) for path in files],
    }
    lists = {name: tf.train.Int64List(value=list(value)) for name, value in numbers.items()}
    feature = {name: tf.train.Feature(int64_list=value) for name, value in lists.items()}
    words = {name: [os.fsencode(word) for word in value] for name, value in words.items()}
    words["data"] = [path.read_bytes() for path in files]
    for name, value in words.items():
        feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@dataclasses.dataclass(frozen=True)
class Packed:
    """A record with its files; see `pack`.

    Attributes:
        record: the record; what it says of offset has been seen to.
        number: its place among all records.
        names: paths of the files, relative to the folder that the record's path is in.
        data: their bytes.
    """

    record: Record
    number: int
    names: tuple[str, ...]
    data: tuple[bytes, ...]


def unpack(serialized):
    """A `Packed` from the bytes that `pack` made."""
    feature = tf.train.Example.FromString(serialized).features.feature
    numbers = {name: tuple(one.int64_list.value) for name, one in feature.items()}
    words = {name: tuple(one.bytes_list.value) for name, one in feature.items()}
    ends = numbers["annotated"]
    annotated = tuple(range(*ends[place : place + 2]) for place in range(0, len(ends), 2))
    record = Record(
        os.fsdecode(words["path"][0]),
        numbers["labels"],
        os.fsdecode(words["file"][0]),
        numbers["line"][0],
        numbers["total_frames"][0] if numbers["total_frames"] else None,
        parts=numbers["parts"],
        annotated=None if numbers["all_annotated"][0] else annotated,
    )
    names = tuple(os.fsdecode(name) for name in words["names"])
    return Packed(record, numbers["number"][0], names, words["data"])


def files_of(source, record):
    """The files that an example is read from: what the source's method `files` says, if any."""
    return source.files(record) if hasattr(source, "files") else [record.path]


def open_packed(source, packed, rng):
    """Opens a packed example: by the source's `open_packed`, or from files on disk for a while."""
    if hasattr(source, "open_packed"):
        return source.open_packed(packed)
    folder = tempfile.TemporaryDirectory(prefix="keras_video-")
    for name, data in zip(packed.names, packed.data, strict=True):
        path = Path(folder.name, name).resolve()
        # Shards may come from strangers: nothing is written elsewhere.
        if not path.is_relative_to(Path(folder.name).resolve()):
            raise DecodeError(packed.record.path, f"it holds a file named {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    there = Path(folder.name, Path(packed.record.path).name)
    record = dataclasses.replace(packed.record, path=str(there))
    try:
        return _OnDisk(source.open(record, rng), folder, packed.record.path)
    except DecodeError as error:
        raise _renamed(error, packed.record.path) from error


class _OnDisk:
    """An opened example whose files are thrown away when they are read."""

    def __init__(self, opened, folder, path):
        self._opened, self._folder, self._path = opened, folder, path
        self.total_frames = opened.total_frames

    def read(self, indices):
        try:
            return self._opened.read(indices)
        except DecodeError as error:
            raise _renamed(error, self._path) from error
        finally:
            self._folder.cleanup()


def _renamed(error, path):
    return DecodeError(path, error.reason, error.wanted, error.found)
