"""Videos without labels: a folder, or a list of paths."""

import dataclasses
from pathlib import Path

from ..annotations.parsing import read_annotations
from ..annotations.records import AnnotationError, Record, numbered_lines, printable
from ..annotations.shards import check_source, is_manifest, list_of
from ..sources.videos import ALL_VIDEO_SUFFIXES, Videos, files_in


def unlabeled_records(place, root=None):
    """The videos of a folder and its sub-folders, or of a list.

    Each line of a list is a path. Numbers after it, as in lists of labeled videos, are ignored
    unless they are part of the file name.

    Args:
        place: a folder, a text file, or packed shards (their folder or manifest).
        root: folder that the listed paths are relative to; None leaves them unchanged.

    Returns:
        List of `Record`, all with the label 0.

    Raises:
        AnnotationError: for a path that is not a file, naming the list and line.
        ValueError: if there are no videos.
        FileNotFoundError: if the folder or file does not exist.
    """
    place = Path(list_of(place))
    if is_manifest(place):
        check_source(place, Videos())
        return [
            dataclasses.replace(record, labels=(0,)) for record in read_annotations(place, root)
        ]
    if place.is_dir():
        paths = files_in(place, ALL_VIDEO_SUFFIXES)
        records = [Record(str(path), (0,), str(place)) for path in paths]
    else:
        lines = numbered_lines(place)
        records = [
            Record(str(_path(place, number, line, root)), (0,), str(place), number, listed=line)
            for number, line in lines
        ]
    if not records:
        raise ValueError(f"{place}: received no videos, expected at least one")
    return records


def _path(file, number, line, root):
    text = line
    while True:
        path = Path(root or "", text)
        if path.is_file():
            return path
        text, _, last = text.rpartition(" ")
        if not text or not last.strip().isdigit():
            break
    raise AnnotationError(
        f"{file}:{number}: received {printable(line)!r}, expected the path of a video"
        + (f" below {root}" if root else "")
    )
