"""An example and its files as one string of bytes: what a TFRecord shard is made of."""

import dataclasses
import os
import tempfile
from pathlib import Path

import tensorflow as tf

from ..annotations.records import Record
from ..decoding.videos import DecodeError
from .shard_tables import Packed


def pack(packed):
    """The bytes of a `tf.train.Example`; the same every time.

    Its features: `data` has the bytes of the files and `names` their paths, `path` what the list
    names and `labels` the class indices; `number` is the place in the list. The others say the rest
    that a list may say.

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
        "annotated": [n for one in annotated or () for n in (one.start, one.stop)],
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
