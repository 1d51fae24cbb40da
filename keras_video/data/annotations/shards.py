"""The manifest of packed shards, read as an annotation file.

`keras-video pack` writes a folder of shards with a `manifest.json`, and next to every shard
`x.tar` an index `x.tar.index.jsonl` with the location of each example. Their records have paths
that `keras_video.data.shard_paths` opens, so any code that reads a list also reads shards.
"""

import hashlib
import json
import os
from pathlib import Path

from ..shard_paths import ShardPath
from .records import AnnotationError, Record

MANIFEST = "manifest.json"
FORMAT, FORMAT_VERSION = "keras_video.shards", 1
# Suffixes, after the name of a shard, of its companion files: the location of each example and,
# for examples with several files, of each file.
INDEX, FILES = ".index.jsonl", ".files.jsonl"
# Sources that read the same files: a video has frames and audio.
_ALIKE = frozenset(("Videos", "Waveforms", "AudioVisual", "SpanWindows"))
_KINDS = {"Videos": "video", "RawFrames": "rawframes", "FlowFrames": "flow", "Images": "images"}


def list_of(path):
    """The list for a path: the manifest of a folder of shards; other paths unchanged."""
    if isinstance(path, str | os.PathLike) and path and is_manifest(Path(path, MANIFEST)):
        return Path(path, MANIFEST)
    return path


def is_manifest(file):
    """Whether a file is the manifest of packed shards."""
    return _content(file) is not None


def read_manifest(file):
    """The content of the manifest of packed shards, a dictionary.

    Raises:
        AnnotationError: it is incomplete, damaged, or of a later version.
    """
    manifest = _content(file)
    if manifest is None:
        raise AnnotationError(f"{file}: expected the manifest of packed shards")
    return checked_manifest(manifest, file)


def checked_manifest(manifest, file):
    """The content of a manifest, called `file` in errors; see `read_manifest`."""
    version = manifest["settings"].get("format_version")
    if version != FORMAT_VERSION:
        raise AnnotationError(
            f"{file}: received shards of version {version!r}, expected {FORMAT_VERSION}"
        )
    try:
        finished, planned = manifest["finished"], manifest["plan"]
        for name, facts in finished.items():
            if Path(name).name != name or not isinstance(facts["bytes"], int):
                raise ValueError(f"a shard named {name!r}")
        is_complete = set(planned) == set(finished) and "examples" in manifest
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{file}: expected a manifest, received {error!r}") from error
    if not is_complete:
        raise AnnotationError(
            f"{file}: received {len(finished)} of {len(planned)} shards, expected all: run "
            "keras-video pack again, which resumes where it stopped"
        )
    return manifest


def shard_records(file):
    """The records of packed shards, in the order of the list that they were packed from.

    An annotation format, see `read_annotations`.

    Args:
        file: the manifest.

    Raises:
        AnnotationError: naming a shard that is missing, cut off, or has another index than was
            written. Whether its content is as it was written, `keras-video pack --verify` says.
    """
    manifest, folder, numbered = read_manifest(file), Path(file).parent, []
    listed_in = manifest["settings"]["list"]
    for name, facts in manifest["finished"].items():
        entries = read_index(folder, name, facts)
        _check_size(folder / name, facts["bytes"], entries)
        numbered += [_record(folder / name, listed_in, entry) for entry in entries]
    numbered.sort(key=lambda pair: pair[0])
    return (record for _, record in numbered)


def read_index(folder, name, facts):
    """The entries of a shard's index, dictionaries.

    Args:
        folder: of the shards.
        name: of the shard.
        facts: its entry in the manifest.

    Raises:
        AnnotationError: the index is missing or damaged.
    """
    path = Path(folder, name + INDEX)
    try:
        text = path.read_bytes()
        if hashlib.sha256(text).hexdigest() != facts["companions"][INDEX]["sha256"]:
            raise ValueError("its content is not what was written")
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AnnotationError(f"{path}: expected the index of {name}: {reason}") from error


def class_names_of_list(file):
    """The class names in a manifest; None if it has none or the file is another list."""
    manifest = _content(file)
    names = None if manifest is None else manifest["settings"].get("class_names")
    return tuple(names) if names else None


def packed_source_of(path):
    """Class name of the source that shards were packed from; None for other lists."""
    manifest = _content(list_of(path)) if path else None
    return None if manifest is None else _packed_source(manifest)


def _packed_source(manifest):
    return str(manifest["settings"].get("source")).partition("(")[0]


def source_kind_of_list(file):
    """The kind of examples in shards: "video", "rawframes", "flow", "images"; else None."""
    return _KINDS.get(packed_source_of(file))


def check_source(file, source):
    """Rejects a source that cannot read the examples of a manifest.

    Raises:
        ValueError: naming both.
    """
    manifest = _content(file)
    if manifest is not None:
        check_packed(manifest, file, source)


def check_packed(manifest, file, source):
    """As `check_source`, for the content of a manifest."""
    packed, given = _packed_source(manifest), type(source).__name__
    if packed != given and not {packed, given} <= _ALIKE:
        raise ValueError(f"received source={source}, {file} was packed from {packed}")


def _content(file):
    """The content of a manifest of shards, finished or not; None for other files."""
    file = Path(file)
    if file.suffix != ".json" or not file.is_file():
        return None
    with file.open("rb") as opened:
        # Annotation files are lists, and may be long.
        if not opened.read(64).lstrip().startswith(b"{"):
            return None
    try:
        manifest = json.loads(file.read_bytes())
    except ValueError:
        return None
    settings = manifest.get("settings")
    is_shards = isinstance(settings, dict) and settings.get("format") == FORMAT
    return manifest if is_shards else None


def _check_size(path, size, entries):
    size_on_disk = path.stat().st_size if path.is_file() else None
    if size_on_disk is None:
        raise AnnotationError(f"{path}: expected a shard of {len(entries)} examples; there is none")
    if size_on_disk < size:
        lost = [entry["path"] for entry in entries if entry["end"] > size_on_disk]
        raise AnnotationError(
            f"{path}: received {size_on_disk} bytes, expected {size}: the shard was cut off, "
            f"{len(lost)} of its {len(entries)} examples are lost"
            f"{', the first is ' + repr(lost[0]) if lost else ''}"
        )
    if size_on_disk > size:
        raise AnnotationError(f"{path}: received {size_on_disk} bytes, expected {size}")


def _record(shard, file, entry):
    """The number of an example and its record."""
    if "table" in entry:
        start, length = entry["table"]
        path = ShardPath(f"{shard}{FILES}", start, length, entry["path"])
    else:
        name, start, length = entry["file"]
        path = ShardPath(str(shard), start, length, name)
    annotated = entry.get("annotated")
    return entry["number"], Record(
        str(path),
        tuple(entry["labels"]),
        file,
        entry["line"],
        entry.get("total_frames"),
        parts=tuple(entry.get("parts", ())),
        annotated=None if annotated is None else tuple(range(*ends) for ends in annotated),
        listed=entry["path"],
    )


def entry_of(number, record):
    """The index entry of an example, without its location."""
    entry = {
        "number": number,
        "path": record.listed or record.path,
        "line": record.line,
        "labels": [int(label) for label in record.labels],
    }
    if record.total_frames is not None:
        entry["total_frames"] = int(record.total_frames)
    if record.parts:
        entry["parts"] = [int(part) for part in record.parts]
    if record.annotated is not None:
        entry["annotated"] = [[frames.start, frames.stop] for frames in record.annotated]
    return entry
