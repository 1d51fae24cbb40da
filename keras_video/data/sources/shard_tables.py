"""Examples of several files in a shard: where each of the files is.

Beside a shard `x.tar` of such examples lies `x.tar.files.jsonl`, which has a line for each: name,
first byte and length of every file. The path of the example is the `ShardPath` of that line.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..annotations.records import Record
from ..annotations.shards import FILES
from ..decoding.errors import DecodeError
from ..shard_paths import ShardPath, read_bytes


@dataclass(frozen=True)
class Packed:
    """A record with its files.

    Attributes:
        record: the record; what it says of offset has been seen to.
        number: its place among all records.
        names: paths of the files. Of files that were packed, relative to the folder that the
            record's path is in.
        data: their bytes.
    """

    record: Record
    number: int
    names: tuple[str, ...]
    data: Sequence[bytes]


def files_of(source, record):
    """The files that an example is read from: what the source's method `files` says, if any."""
    return source.files(record) if hasattr(source, "files") else [record.path]


def has_several_files(source):
    """Whether an example of a source is several files."""
    return getattr(source, "several_files", hasattr(source, "files"))


def table_line(files):
    """The line of an example, bytes.

    Args:
        files: name, first byte and length of each file.
    """
    return json.dumps(files, separators=(",", ":")).encode() + b"\n"


def in_shard(record):
    """The `Packed` of a record in a shard, whose files are read when they are asked for.

    Raises:
        DecodeError: the shard has no table of its files there.
    """
    line = ShardPath.of(record.path)
    try:
        if not line.file.endswith(FILES):
            raise ValueError(line.file)
        shard, files = line.file.removesuffix(FILES), json.loads(read_bytes(record.path))
        paths = tuple(str(ShardPath(shard, start, length, name)) for name, start, length in files)
    except OSError as error:
        raise DecodeError(record.path, error.strerror or str(error)) from error
    except (ValueError, TypeError) as error:
        reason = "there is no table of the files of an example; was it packed from another source?"
        raise DecodeError(record.path, reason) from error
    return Packed(record, 0, paths, _Bytes(paths))


class _Bytes(Sequence):
    """The bytes of files, each read when it is asked for."""

    def __init__(self, paths):
        self._paths = paths

    def __len__(self):
        return len(self._paths)

    def __getitem__(self, place):
        path = self._paths[place]
        try:
            return read_bytes(path)
        except OSError as error:
            raise DecodeError(path, error.strerror or str(error)) from error
