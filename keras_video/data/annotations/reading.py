"""Annotation files: which videos there are and what they show.

A form of annotation file is a function `form(file) -> iterator of Record` that yields the records
as the file spells them; `read_annotations` does what all forms share: the root folder, the check
of labels against the number of classes, the refusal of files without records. The forms are in
`keras_video.data.annotations.forms` (lines of words) and `keras_video.data.annotations.tables`
(JSON, CSV).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from .forms import video_lines
from .records import AnnotationError, Record, numbered_lines
from .tables import json_records

Form = Callable[[Path], Iterable[Record]]


def read_annotations(
    file: str | Path,
    root: str | Path | None = None,
    classes: int | None = None,
    *,
    form: Form | None = None,
) -> list[Record]:
    """Reads an annotation file and checks every label.

    Args:
        file: the annotation file, UTF-8 text.
        root: folder that relative paths of the file start from; None leaves them as they are.
        classes: number of classes; labels must lie in [0, classes). None checks for negative
            labels only.
        form: how the file is written, a function from the file to its records; None takes
            `json_records` for files that end in `.json`, else `video_lines`.

    Returns:
        The records in the order of the file. Videos may occur more than once.

    Raises:
        FileNotFoundError: if there is no such annotation file.
        AnnotationError: naming file and line, for a line that cannot be read, a label out of
            range, or a file without records. Whether the videos exist is not looked at here; see
            `check_files`.
    """
    file = Path(file)
    form = form or (json_records if file.suffix == ".json" else video_lines)
    records = []
    for record in form(file):
        _check_labels(record, classes)
        path = record.path if root is None else str(Path(root) / record.path)
        records.append(replace(record, path=path))
    if not records:
        raise AnnotationError(f"{file}: received a file without records, expected at least one")
    return records


def check_files(records: Iterable[Record], shown: int = 10) -> None:
    """Makes sure that the video, or folder of frames, of every record exists.

    Args:
        records: what `read_annotations` returned.
        shown: how many missing files the error lists.

    Raises:
        FileNotFoundError: naming the annotation line and path of the first missing files, and how
            many are missing.
    """
    records = list(records)
    missing = [record for record in records if not Path(record.path).exists()]
    if not missing:
        return
    lines = [f"{record.source}: no file {record.path}" for record in missing[:shown]]
    if len(missing) > shown:
        lines.append(f"... and {len(missing) - shown} more")
    listing = "\n  ".join(lines)
    raise FileNotFoundError(
        f"{len(missing)} of {len(records)} annotated videos do not exist:\n  {listing}"
    )


def read_class_names(file: str | Path) -> list[str]:
    """Reads class names, one per line; the first line names class 0.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: for a file without names, or a blank line between names, which would
            shift the classes behind it.
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
    return names


def _check_labels(record, classes):
    for label in record.labels:
        if label < 0 or (classes is not None and label >= classes):
            expected = "0 or more" if classes is None else f"a class index in [0, {classes})"
            raise AnnotationError(f"{record.source}: received label {label}, expected {expected}")
