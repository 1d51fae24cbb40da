"""Integrity check of packed shards."""

from dataclasses import dataclass
from pathlib import Path

from keras_video.sharded import file_problem, open_folder

from ..annotations.records import AnnotationError, Record, printable
from ..annotations.shards import FILES, list_of, read_index, read_manifest
from ..decoding.errors import DecodeError
from ..parallel import in_parallel
from ..shard_paths import ShardPath, read_bytes
from ..sources.shard_tables import in_shard
from .shard_worker import checksum


@dataclass(frozen=True)
class DamagedShard:
    """A shard that differs from what was written.

    Attributes:
        name: of its file.
        reason: what is wrong with it, in one line.
        examples: the examples whose files are damaged or lost, as written in the list.
    """

    name: str
    reason: str
    examples: tuple[str, ...]

    def __str__(self):
        listed = ", ".join(printable(path) for path in self.examples[:10])
        more = f" and {len(self.examples) - 10} more" if len(self.examples) > 10 else ""
        lost = f"damaged: {listed}{more}" if self.examples else "the files in it are whole"
        return f"{self.name} {self.reason}; {lost}"


def verify_shards(folder, *, workers=None, show_progress=True):
    """Reads all shards and compares them with the hashes of their manifest.

    Args:
        folder: of the shards, or its manifest.
        workers, show_progress: see `in_parallel`.

    Returns:
        A `DamagedShard` for each shard that differs from what was written, in order.

    Raises:
        AnnotationError: there is no manifest of finished shards.
    """
    file = Path(list_of(folder))
    finished = read_manifest(file)["finished"]
    names = list(finished)

    def check(name):
        return _damage(file.parent, name, finished[name])

    by_position = dict(in_parallel(check, names, workers, show_progress))
    shards = [by_position[position] for position in range(len(names))]
    return [shard for shard in shards if shard is not None]


def _damage(folder, name, facts):
    companions = facts["companions"]
    files = [(name, facts), *((name + ending, written) for ending, written in companions.items())]
    place = open_folder(folder)
    problems = [(file, file_problem(place, file, written)) for file, written in files]
    problems = [(file, problem) for file, problem in problems if problem]
    if not problems:
        return None
    file, problem = problems[0]
    reason = problem if file == name else f"has a file {file} that {problem}"
    try:
        entries = read_index(folder, name, facts)
    except AnnotationError:
        return DamagedShard(name, reason, ("unknown, as the index is damaged",))
    lost = [entry["path"] for entry in entries if not _is_whole(folder / name, entry)]
    return DamagedShard(name, reason, tuple(lost))


def _is_whole(shard, entry):
    """Whether the files of an example have the bytes that were written."""
    try:
        if "table" in entry:
            line = ShardPath(f"{shard}{FILES}", *entry["table"], entry["path"])
            data = in_shard(Record(str(line), ())).data
        else:
            name, start, length = entry["file"]
            data = [read_bytes(ShardPath(str(shard), start, length, name))]
        return checksum(data) == entry["crc32"]
    except (DecodeError, OSError):
        return False
