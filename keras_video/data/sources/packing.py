"""Serialization of an example and its files: the records of a TFRecord shard."""

import dataclasses
import os
import tempfile
from pathlib import Path

import tensorflow as tf

from ..annotations.records import Record
from ..decoding.videos import DecodeError
from .shard_tables import Packed


def pack(packed):
    """The bytes of a `tf.train.Example`; deterministic.

    Its features: `data` contains the bytes of the files and `names` their paths, `path` the path in
    the list and `labels` the class indices; `number` is the position in the list. The others
    contain the remaining fields of a list entry.

    Args:
        packed: a `Packed`.

    Raises:
        ValueError: it is larger than an `Example` can be.
    """
    record, annotated = packed.record, packed.record.annotated
    numbers = {
        "number": [packed.number],
        "line": [record.line],
        "labels": record.labels,
        "parts": record.parts,
        "total_frames": [] if record.total_frames is None else [record.total_frames],
        "annotated": [n for part in annotated or () for n in (part.start, part.stop)],
        "all_annotated": [int(annotated is None)],
    }
    words = {"path": [record.path], "file": [record.file], "names": packed.names}
    lists = {name: tf.train.Int64List(value=list(value)) for name, value in numbers.items()}
    feature = {name: tf.train.Feature(int64_list=value) for name, value in lists.items()}
    words = {name: [os.fsencode(word) for word in value] for name, value in words.items()}
    words["data"] = packed.data
    for name, value in words.items():
        feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def unpack(serialized):
    """The `Packed` from the bytes that `pack` returned."""
    feature = tf.train.Example.FromString(serialized).features.feature
    numbers = {name: tuple(value.int64_list.value) for name, value in feature.items()}
    words = {name: tuple(value.bytes_list.value) for name, value in feature.items()}
    ends = numbers["annotated"]
    annotated = tuple(range(*ends[start : start + 2]) for start in range(0, len(ends), 2))
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


def open_packed(source, packed, rng):
    """Opens a packed example: with the source's `open_packed`, or from temporary files."""
    if hasattr(source, "open_packed"):
        return source.open_packed(packed)
    folder = tempfile.TemporaryDirectory(prefix="keras_video-")
    for name, data in zip(packed.names, packed.data, strict=True):
        path = Path(folder.name, name).resolve()
        # Shards are untrusted input: nothing is written outside the folder.
        if not path.is_relative_to(Path(folder.name).resolve()):
            raise DecodeError(packed.record.path, f"it contains a file named {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path = Path(folder.name, Path(packed.record.path).name)
    record = dataclasses.replace(packed.record, path=str(path))
    try:
        return _TemporaryFiles(source.open(record, rng), folder, packed.record.path)
    except DecodeError as error:
        raise _with_path(error, packed.record.path) from error


class _TemporaryFiles:
    """An opened example whose files are deleted after they are read."""

    def __init__(self, opened, folder, path):
        self._opened, self._folder, self._path = opened, folder, path
        self.total_frames = opened.total_frames

    def read(self, indices):
        try:
            return self._opened.read(indices)
        except DecodeError as error:
            raise _with_path(error, self._path) from error
        finally:
            self._folder.cleanup()


def _with_path(error, path):
    return DecodeError(path, error.reason, error.requested_frame, error.frame_count)
