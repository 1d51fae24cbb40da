"""File tables of shards whose examples consist of several files.

Next to a shard `x.tar` of such examples is `x.tar.files.jsonl`, with one line per example: name,
first byte and length of each file. The path of the example is the `ShardPath` of that line.
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
        record: the record; its offset is already applied.
        number: its position among all records.
        names: paths of the files; of packed files, relative to the folder that contains the
            record's path.
        data: their bytes.
    """

    record: Record
    number: int
    names: tuple[str, ...]
    data: Sequence[bytes]


def files_of(source, record):
    """The files of an example: the result of the source's method `files` if it has one."""
    return source.files(record) if hasattr(source, "files") else [record.path]


def has_several_files(source):
    """Whether an example of a source consists of several files."""
    return getattr(source, "several_files", hasattr(source, "files"))


def table_line(files):
    """The table line of an example, bytes.

    Args:
        files: name, first byte and length of each file.
    """
    return json.dumps(files, separators=(",", ":")).encode() + b"\n"


def in_shard(record):
    """The `Packed` of a record in a shard; its files are read on access.

    Raises:
        DecodeError: the shard has no file table at this path.
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
        reason = "it has no table of an example's files; was it packed from another source?"
        raise DecodeError(record.path, reason) from error
    return Packed(record, 0, paths, _Bytes(paths))


class _Bytes(Sequence):
    """The bytes of files, each read on access."""

    def __init__(self, paths):
        self._paths = paths

    def __len__(self):
        return len(self._paths)

    def __getitem__(self, number):
        path = self._paths[number]
        try:
            return read_bytes(path)
        except OSError as error:
            raise DecodeError(path, error.strerror or str(error)) from error
