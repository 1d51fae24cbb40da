"""Annotation files: lists of videos and their labels.

An annotation format is a function from a file to an iterator of its `Record`s, with paths as
written in the file; `read_annotations` does what all formats share: it applies the root folder,
checks labels against the number of classes, and rejects files without records. The formats are in
`keras_video.data.annotations.formats` (lines of words) and `keras_video.data.annotations.tables`
(JSON, CSV).
"""

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from absl import logging

from ..shard_paths import exists, is_in_shard
from .formats import video_lines
from .records import AnnotationError, Record, is_json, numbered_lines, printable
from .shards import is_manifest, list_of
from .tables import json_records

# Labels are int32 in the arrays passed to models.
_LARGEST_LABEL = 2**31 - 1
AnnotationFormat = Callable[[Path], Iterable[Record]]


def read_annotations(
    file: str | Path,
    root: str | Path | None = None,
    classes: int | None = None,
    *,
    annotation_format: AnnotationFormat | None = None,
) -> list[Record]:
    """Reads an annotation file and checks every label.

    An ambiguous line, whose path ends in a number or begins or ends with a space, refers to the
    file or folder that exists; if none does, its path ends before the first of the integers at
    its end.

    Args:
        file: the annotation file, UTF-8 text; paths may have other bytes, as file systems do. Or
            the manifest of packed shards, or their folder.
        root: folder that relative paths of the file start from; None leaves them unchanged and is
            required for a manifest of shards.
        classes: number of classes; labels must lie in [0, classes). None only rejects
            labels that are negative or exceed int32.
        annotation_format: a function from the file to its records; None
            uses `json_records` for files that end in `.json`, else `video_lines`.

    Returns:
        The records in the order of the file. Videos may occur more than once.

    Raises:
        FileNotFoundError: if there is no such annotation file.
        AnnotationError: naming file and line, for a line that cannot be read or that several files
            make ambiguous, a label out of range, or a file without records. Does not check
            whether the videos exist; see `check_files`.
    """
    file = Path(list_of(file))
    annotation_format = annotation_format or (json_records if is_json(file) else video_lines)
    if root not in (None, "") and is_manifest(file):
        raise ValueError(f"root={root}: has no effect, as {file} is a manifest of shards")
    names_in = functools.cache(_names_in)
    records = []
    for record in annotation_format(file):
        record = _chosen(record, root, names_in)
        check_labels(record, classes)
        records.append(record)
    if not records:
        raise AnnotationError(f"{file}: received a file without records, expected at least one")
    return records


def first_paths(file, root=None, annotation_format=None):
    """The possible paths of the first line of an annotation file, the usual one first.

    Args:
        file, root, annotation_format: see `read_annotations`.
    """
    annotation_format = annotation_format or (json_records if is_json(file) else video_lines)
    first = next(iter(annotation_format(Path(file))), None)
    if first is None:
        return []
    return [_rooted(reading, root).path for reading in (first, *first.readings)]


def repeated_names(names):
    """`{name: its positions}` for names that occur more than once in a sequence."""
    positions = {}
    for position, name in enumerate(names):
        positions.setdefault(name, []).append(position)
    return {name: indices for name, indices in positions.items() if len(indices) > 1}


def check_labels(record, classes=None):
    """Raises an `AnnotationError` for a label out of range; see `read_annotations`."""
    largest = _LARGEST_LABEL if classes is None else classes - 1
    for label in record.labels:
        if not 0 <= label <= largest:
            expected = f"a class index in [0, {classes})"
            if classes is None:
                expected = "0 or more" if label < 0 else f"at most {_LARGEST_LABEL}"
            raise AnnotationError(f"{record.source}: received label {label}, expected {expected}")


def _chosen(record, root, names_in):
    """The reading of a line whose file or folder exists; see `read_annotations`."""
    if not record.readings and not record.problem:
        chosen = _rooted(record, root)
    else:
        readings = [_rooted(reading, root) for reading in (record, *record.readings)]
        there = _there(readings, names_in)
        if len({(reading.path, reading.labels) for reading in there}) > 1:
            paths = " and ".join(repr(reading.path) for reading in there)
            raise AnnotationError(
                f"{record.source}: the line can be read in several ways, since {paths} exist: say "
                "how many labels a line has, annotation_format=functools.partial(..., labels=1), "
                "or write JSON"
            )
        if record.problem and not there:
            raise record.problem
        chosen = there[0] if there else readings[0]
    if chosen.listed.endswith(",") and not _exists(chosen.path, names_in):
        raise AnnotationError(
            f"{record.source}: received the path {chosen.listed!r}, expected words "
            "separated by spaces; `CsvTable` reads commas"
        )
    return chosen


def _rooted(record, root):
    path = record.path if root is None else str(Path(root) / record.path)
    listed = record.listed or record.path
    return replace(record, path=path, listed=listed, readings=(), problem=None)


def _there(readings, names_in):
    """The readings whose path exists; otherwise those missing only a file extension."""
    there = [reading for reading in readings if _exists(reading.path, names_in)]
    return there or [reading for reading in readings if _exists(reading.path, names_in, stem=True)]


def _exists(path, names_in, stem=False):
    if is_in_shard(path):
        return True  # already checked when the manifest was read
    folder, name = os.path.split(path.rstrip("/"))
    return name in names_in(folder or ".")[stem]


def _names_in(folder):
    """The names in a folder, with and without extensions, as stored features may be listed.

    Read once per folder: a list may name many of its files.
    """
    try:
        names = [path.name for path in Path(folder).iterdir()]
    except OSError:
        names = []
    return frozenset(names), frozenset(Path(name).stem for name in names)


def check_files(records: Iterable[Record], shown: int = 10) -> None:
    """Makes sure that the video, or folder of frames, of every record exists.

    Args:
        records: the result of `read_annotations`.
        shown: number of missing files listed in the error.

    Raises:
        FileNotFoundError: naming the annotation line and path of the first missing files, and how
            many are missing.
    """
    records = list(records)
    missing = missing_files(records)
    if not missing:
        return
    lines = [f"{record.source}: no file {printable(record.path)}" for record in missing[:shown]]
    if len(missing) > shown:
        lines.append(f"... and {len(missing) - shown} more")
    listing = "\n  ".join(lines)
    raise FileNotFoundError(
        f"{len(missing)} of {len(records)} annotated videos do not exist:\n  {listing}"
    )


def missing_files(records: Iterable[Record]) -> list[Record]:
    """The records whose video, or folder of frames, does not exist."""
    return [record for record in records if not exists(record.path)]


def require_files(records: Iterable[Record]) -> None:
    """Like `check_files`, with a one-line message that names the first missing file.

    Raises:
        FileNotFoundError: if a file is missing.
    """
    records = list(records)
    missing = missing_files(records)
    if missing:
        first = missing[0]
        raise FileNotFoundError(
            f"{len(missing)} of {len(records)} annotated videos do not exist, the first is "
            f"{printable(first.path)} ({first.source}): correct the list or its root, or pass over "
            'them by on_error="skip"'
        )


def read_class_names(file: str | Path) -> list[str]:
    """Reads class names, one per line; the first line names class 0.

    Some published lists repeat a name, so duplicates only cause a warning.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: for a file without names, or a blank line between names, which would
            shift the classes after it.
    """
    names = []
    for number, line in numbered_lines(file):
        if number != len(names) + 1:
            raise AnnotationError(
                f"{file}:{len(names) + 1}: received a blank line, expected the name of class "
                f"{len(names)}"
            )
        names.append(line)
    if not names:
        raise AnnotationError(f"{file}: received a file without names, expected one per line")
    for name, lines in repeated_names(names).items():
        text = "%s: the class name %r is in lines %s: these classes look alike in reports"
        logging.warning(text, file, name, ", ".join(str(line + 1) for line in lines))
    return names
