"""Finding the frames in a folder: file name templates and the numbers in them."""

import re
from pathlib import Path
from string import Formatter

from ..decoding.frame_index import IndexCache
from ..decoding.videos import DecodeError
from ..sampling import check_whole
from .folder_walk import walk_folder

_folders = IndexCache(capacity=20_000)


def frames_of(record, template, start_index=None, fields=()):
    """Number of the first frame of a record, and how many frames it has.

    Args:
        record: a `Record` of a folder.
        template: file name of a frame.
        start_index: number of the folder's first frame, or None to find it.
        fields: values for the template's fields before the number.

    Raises:
        DecodeError: there is no such folder, or no such frames in it.
    """
    start, total = start_index, record.total_frames
    if start is None and total is not None:
        start = _usual_start(record.path, template, fields)
    if start is None or total is None:
        first, last = frame_numbers(record.path, template, fields)
        start = first if start is None else start
        total = last + 1 - start - record.offset if total is None else total
    if total < 1:
        raise DecodeError(record.path, f"it holds no frames named {template}", frame_count=0)
    return start + record.offset, total


def check_start(start_index):
    if start_index is not None:
        check_whole("start_index", start_index, 0)


def _usual_start(folder, template, fields):
    """0 or 1 if a frame has this number: checking both is cheaper than listing the folder."""
    for number in (0, 1):
        if Path(folder, template.format(*fields, number)).exists():
            return number
    return None


def frame_numbers(folder, template, fields=()):
    """The smallest and largest frame number in a folder; (0, -1) if there are no frames.

    Results are cached in the process until the folder changes.

    Raises:
        DecodeError: there is no such folder.
    """
    parent = Path(folder, template.format(*fields, 0)).parent
    pattern = number_pattern(template, 1 + len(fields), fields)
    try:
        entry = _folders.get(parent)
        if entry is None or entry[0] != pattern:
            matches = (pattern.fullmatch(path.name) for path in parent.iterdir())
            numbers = [int(match[1]) for match in matches if match]
            entry = pattern, (min(numbers), max(numbers)) if numbers else (0, -1)
            _folders.put(parent, entry)
    except OSError as error:
        raise DecodeError(folder, error.strerror) from error
    return entry[1]


def folders_of_frames(folder, template, fields=(), follow_links=True):
    """The folders that contain frames with such names, at and below a folder, sorted.

    Hidden folders are skipped; `follow_links` as for `walk_folder`.
    """
    pattern = number_pattern(template, 1 + len(fields), fields, whole=True)
    depth = len(Path(template).parts)
    return sorted(
        {
            (path / name).parents[depth - 1]
            for path, names in walk_folder(folder, follow_links)
            for name in names
            if pattern.fullmatch("/".join((path / name).parts[-depth:]))
        }
    )


def number_pattern(template, count, fields=("x",), whole=False):
    """A regular expression for file names, whose group is the number; it covers the folders in
    the template only if `whole`."""
    parts = list(Formatter().parse(template))
    names = [name for _, name, _, _ in parts if name is not None]
    if len(names) != count:
        raise ValueError(
            f"received template={template!r}, expected {count} of the fields {{}}, the last one "
            "for the number, as in 'img_{:05}.jpg' or '{}_{:05d}.jpg'"
        )
    filled, pattern = list(fields[: count - 1]), ""
    for literal, name, _, _ in parts:
        pattern += re.escape(literal)
        if name is not None:
            pattern += re.escape(filled.pop(0)) if filled else r"(\d+)"
    return re.compile(pattern if whole else pattern.rsplit("/", 1)[-1])
