"""Annotation files: which videos there are and what they show.

A form of annotation file is a function `form(file) -> iterator of Record` that yields the records
as the file spells them; `read_annotations` does what all forms share: the root folder, the check
of labels against the number of classes, the refusal of files without records.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_INTEGER = re.compile(r"[+-]?[0-9]+")


class AnnotationError(ValueError):
    """An annotation file says something else than it should; the message begins `file:line:`."""


@dataclass(frozen=True)
class Record:
    """One video of an annotation file.

    Attributes:
        path: the video file, joined with the root folder.
        labels: class indices; one for single-label data, any number above zero otherwise.
        file: annotation file the record was read from.
        line: its line there, counted from 1.
    """

    path: str
    labels: tuple[int, ...]
    file: str = ""
    line: int = 0

    @property
    def source(self) -> str:
        """Where the record was read, as `file:line`."""
        return f"{self.file}:{self.line}"


Form = Callable[[Path], Iterable[Record]]


def video_lines(file: str | Path) -> Iterator[Record]:
    """Reads lines of the form `path label [label ...]`.

    Labels are the integers at the end of the line, everything before them is the path, so a path
    may contain spaces. Blank lines are skipped.

    Raises:
        AnnotationError: for a line without a path or without an integer label at its end.
    """
    for number, line in _lines(file):
        words = line.split()
        count = 0
        while count < len(words) - 1 and _INTEGER.fullmatch(words[-1 - count]):
            count += 1
        if count == 0:
            problem = "a label is missing"
            if len(words) > 1:
                problem = f"the last word {words[-1]!r} is not an integer"
            elif _INTEGER.fullmatch(words[0]):
                problem = "a path is missing"
            raise AnnotationError(
                f"{file}:{number}: received {line!r}, expected 'path label [label ...]': {problem}"
            )
        path = line.rsplit(maxsplit=count)[0]
        yield Record(path, tuple(int(word) for word in words[-count:]), str(file), number)


def read_annotations(
    file: str | Path,
    root: str | Path | None = None,
    classes: int | None = None,
    *,
    form: Form = video_lines,
) -> list[Record]:
    """Reads an annotation file and checks every label.

    Args:
        file: the annotation file, UTF-8 text.
        root: folder that relative paths of the file start from; None leaves them as they are.
        classes: number of classes; labels must lie in [0, classes). None checks for negative
            labels only.
        form: how the file is written, a function from the file to its records.

    Returns:
        The records in the order of the file. Videos may occur more than once.

    Raises:
        FileNotFoundError: if there is no such annotation file.
        AnnotationError: naming file and line, for a line that cannot be read, a label out of
            range, or a file without records. Whether the videos exist is not looked at here; see
            `check_files`.
    """
    file = Path(file)
    records = []
    for record in form(file):
        _check_labels(record, classes)
        path = record.path if root is None else str(Path(root) / record.path)
        records.append(replace(record, path=path))
    if not records:
        raise AnnotationError(f"{file}: received a file without records, expected at least one")
    return records


def check_files(records: Iterable[Record], shown: int = 10) -> None:
    """Makes sure that the video of every record exists.

    Args:
        records: what `read_annotations` returned.
        shown: how many missing files the error lists.

    Raises:
        FileNotFoundError: naming the annotation line and path of the first missing files, and how
            many are missing.
    """
    records = list(records)
    missing = [record for record in records if not Path(record.path).is_file()]
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
    for number, line in _lines(file):
        if number != len(names) + 1:
            raise AnnotationError(
                f"{file}:{len(names) + 1}: received a blank line, expected the name of class "
                f"{len(names)}"
            )
        names.append(line)
    if not names:
        raise AnnotationError(f"{file}: received a file without names, expected one per line")
    return names


def _lines(file):
    """Numbered lines of a text file, counted from 1, stripped, without the blank ones."""
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"received {file}, expected a text file; there is none")
    try:
        # "utf-8-sig" drops the mark that some editors put before the first character.
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{file}: expected UTF-8 text: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line.strip()


def _check_labels(record, classes):
    for label in record.labels:
        if label < 0 or (classes is not None and label >= classes):
            expected = "0 or more" if classes is None else f"a class index in [0, {classes})"
            raise AnnotationError(f"{record.source}: received label {label}, expected {expected}")
