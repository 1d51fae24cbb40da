"""Videos without labels: a folder, or a list of paths."""

import dataclasses
from pathlib import Path

from ..annotations.parsing import read_annotations
from ..annotations.records import AnnotationError, Record, numbered_lines, printable
from ..annotations.shards import check_source, is_manifest, list_of
from ..sources.videos import ALL_VIDEO_SUFFIXES, Videos, files_in


def unlabeled_records(place, root=None):
    """The videos of a folder and the folders below it, or those that a list names.

    A line of a list is a path. Numbers behind it, as lists of labeled videos have them, are
    passed over unless the file is called so.

    Args:
        place: the folder, a text file, or packed shards, their folder or manifest.
        root: folder that the paths of a list start from; None leaves them as they are.

    Returns:
        List of `Record`, all with the label 0.

    Raises:
        AnnotationError: naming file and line of a path where there is no file.
        ValueError: if there are no videos.
        FileNotFoundError: if there is neither a folder nor a file.
    """
    place = Path(list_of(place))
    if is_manifest(place):
        check_source(place, Videos())
        return [dataclasses.replace(one, labels=(0,)) for one in read_annotations(place, root)]
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
