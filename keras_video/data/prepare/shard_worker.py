"""The worker that writes one shard, in this process or on another machine."""

import contextlib
import dataclasses
import json
import os
import tempfile
import zlib
from pathlib import Path, PurePosixPath

from ..annotations.records import Record
from ..annotations.shards import entry_of
from ..decoding.errors import DecodeError
from ..shard_paths import read_bytes
from ..sources.shard_tables import Packed, files_of, has_several_files, table_line
from .resizing import resize_video
from .shard_files import SHARDS


class UnreadableError(DecodeError):
    """A file that cannot be packed."""

    verb = "read"


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """An example to pack.

    Attributes:
        number: its position in the list.
        record: its annotation.
    """

    number: int
    record: Record

    @property
    def path(self):
        """Its name in messages."""
        return self.record.path


@dataclasses.dataclass(frozen=True)
class Resized:
    """Settings for re-encoding videos with a smaller short side, see `resize_video`.

    Attributes:
        short_side, quality, keyframe_every: see there.
    """

    short_side: int = 256
    quality: int = 20
    keyframe_every: int | None = None

    def bytes_of(self, path):
        """The bytes of the new file."""
        with tempfile.TemporaryDirectory(prefix="keras-video-") as folder:
            target = Path(folder, "video.mp4")
            resize_video(path, target, self.short_side, **_without(self, "short_side"))
            return target.read_bytes()


def _without(settings, name):
    return {key: value for key, value in dataclasses.asdict(settings).items() if key != name}


@dataclasses.dataclass(frozen=True)
class ShardWorker:
    """Writes shards, as the worker of `keras_video.sharded.run_shards`.

    One example is in memory at a time.

    Attributes:
        source: determines the files of a record.
        container: a name of `SHARDS`.
        resized: settings for resizing videos; None stores them unchanged.
        on_error: "raise", or "skip" for examples whose files cannot be read.
    """

    source: object
    container: str
    resized: Resized | None = None
    on_error: str = "raise"

    def __call__(self, examples, path, index, tables=None):
        """Writes a shard, its index and, for examples of several files, the tables of these."""
        failed = []
        with contextlib.ExitStack() as stack:
            shard = stack.enter_context(contextlib.closing(SHARDS[self.container](path)))
            index = stack.enter_context(index.open("wb"))
            tables = tables and stack.enter_context(tables.open("wb"))
            for example in examples:
                try:
                    packed = self._packed(example)
                    shard.check(packed)
                except (DecodeError, OSError) as error:
                    failed.append(self._failed(example.record, error))
                else:
                    # Outside the try: a full disk is not the fault of the example.
                    places, end = shard.add(packed, tables is not None)
                    where = _written(packed, places, tables)
                    entry = entry_of(example.number, example.record)
                    entry |= {**where, "end": end, "crc32": checksum(packed.data)}
                    index.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
                yield
        return {"count": len(examples) - len(failed), "failed": failed}

    def _packed(self, example):
        record, listed = example.record, example.record.listed or example.record.path
        paths = [os.fspath(path) for path in files_of(self.source, record)]
        if self.resized is not None:
            data, listed = (self.resized.bytes_of(paths[0]),), _with_suffix(listed, ".mp4")
        else:
            data = tuple(read_bytes(path) for path in paths)
        for path, content in zip(paths, data, strict=True):
            if not content:
                raise UnreadableError(path, "the file is empty")
        if has_several_files(self.source):
            root = Path(record.path).parent
            names = tuple(os.path.relpath(path, root) for path in paths)
        else:
            # Stored features may be listed without their extension.
            suffix = "" if self.resized else PurePosixPath(paths[0]).suffix
            listed = listed if listed.endswith(suffix) else listed + suffix
            names = (PurePosixPath(listed).name,)
        record = dataclasses.replace(record, path=listed, offset=0)
        return Packed(record, example.number, names, data)

    def _failed(self, record, error):
        """`[path, reason]` of an example that is left out.

        Raises:
            UnreadableError: naming the line, if nothing may be left out.
        """
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        path = getattr(error, "path", None) or getattr(error, "filename", None) or record.path
        if self.on_error == "raise":
            where = f" ({record.source})" if record.line else ""
            raise UnreadableError(path, f"{reason}{where}") from error
        return [record.path, reason if path == record.path else f"{path}: {reason}"]


def checksum(data):
    """CRC-32 of the concatenated files of an example."""
    crc = 0
    for content in data:
        crc = zlib.crc32(content, crc)
    return crc


def _written(packed, places, tables):
    """The location of an example, for the index; writes its table if it has several files."""
    if tables is None:
        return {"file": (packed.record.path, *places[0])}
    start = tables.tell()
    named_places = zip(packed.names, places, strict=True)
    tables.write(table_line([(name, *place) for name, place in named_places]))
    return {"table": (start, tables.tell() - start)}


def _with_suffix(path, suffix):
    return str(PurePosixPath(path).with_suffix(suffix))
