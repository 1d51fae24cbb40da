"""The two kinds of shards: WebDataset tar files and TFRecord files."""

import io
import json
import re
import tarfile
from pathlib import PurePosixPath

from ..annotations.shards import entry_of
from ..decoding.errors import DecodeError

# Largest example in bytes that fits a protocol buffer, with room for its metadata.
_LARGEST_EXAMPLE = 2**31 - 2**20
# Bytes before the content of a TFRecord (its length and a checksum) and after it.
_BEFORE, _BEHIND = 12, 4
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")


class TarShard:
    """A WebDataset tar file.

    Example 17 is the members `000000017.json`, its annotation; `000000017.cls`, its class index
    if it has one label; and `000000017.mp4`, its file, or `000000017.00000.jpg` and so
    on, its files.

    Args:
        path: the file to write.
    """

    def __init__(self, path):
        self._tar = tarfile.open(path, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def check(self, packed):
        """Raises a DecodeError for an example that does not fit; a tar file fits all."""

    def add(self, packed, several):
        """Adds a `Packed`.

        Args:
            packed: the example.
            several: whether the example consists of several files.

        Returns:
            First byte and length of every file in the shard, and the end of the example.
        """
        key, labels = f"{packed.number:09}", packed.record.labels
        facts = entry_of(packed.number, packed.record)
        if several:
            facts["files"] = list(packed.names)
        self._write(f"{key}.json", json.dumps(facts).encode())
        if len(labels) == 1:
            self._write(f"{key}.cls", str(labels[0]).encode())
        places = []
        for number, (name, data) in enumerate(zip(packed.names, packed.data, strict=True)):
            part = f".{number:05}" if several else ""
            places.append(self._write(f"{key}{part}{_suffix(name)}", data))
        return places, self._tar.offset

    def _write(self, name, data):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))
        blocks = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        return self._tar.offset - blocks, len(data)

    def close(self):
        self._tar.close()


class TFRecordShard:
    """A TFRecord file of `tf.train.Example`s, see `keras_video.data.sources.packing.pack`.

    Args:
        path: the file to write.
    """

    def __init__(self, path):
        # Tar shards are written without TensorFlow, which takes seconds to load.
        import tensorflow as tf

        from ..sources.packing import pack

        self._writer, self._pack, self._end = tf.io.TFRecordWriter(str(path)), pack, 0

    def check(self, packed):
        """Raises a DecodeError for an example that is too large."""
        size = sum(map(len, packed.data))
        if size > _LARGEST_EXAMPLE:
            raise DecodeError(
                packed.record.path,
                f"it has {size} bytes, an example of a TFRecord holds {_LARGEST_EXAMPLE}: expected "
                "tar shards",
            )

    def add(self, packed, several):
        """Same as `TarShard.add`."""
        content = self._pack(packed)
        self._writer.write(content)
        places, place = [], 0
        for data in packed.data:
            # Any match has the bytes of the file.
            place = content.index(data, place)
            places.append((self._end + _BEFORE + place, len(data)))
            place += len(data)
        self._end += _BEFORE + len(content) + _BEHIND
        return places, self._end

    def close(self):
        self._writer.close()


SHARDS = {"tfrecord": TFRecordShard, "tar": TarShard}


def _suffix(name):
    """The extension of a file, by which WebDataset identifies types; ".bin" for unusual ones."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin"
