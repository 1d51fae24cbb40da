"""Annotation files whose lines are words: a path, numbers, labels.

A form is a function from a file to its records, for `read_annotations(form=...)`. In all of them
the integers at the end of a line are numbers and everything before them is the path, so a path
may contain spaces. Blank lines are skipped.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from absl import logging

from .records import AnnotationError, Record, numbered_lines

_INTEGER = re.compile(r"[+-]?[0-9]+")


def video_lines(file: str | Path) -> Iterator[Record]:
    """Reads lines of the form `path label [label ...]`: videos, images.

    Raises:
        AnnotationError: for a line without a path or without an integer label at its end.
    """
    for number, path, labels in _numbers_behind_paths(file, "path label [label ...]", ("a label",)):
        yield Record(path, labels, str(file), number)


def frame_lines(file: str | Path) -> Iterator[Record]:
    """Reads lines of the form `path frames label [label ...]`: folders of frames, sound.

    Raises:
        AnnotationError: for a line without a path, a number of frames, or a label.
    """
    expected = ("the number of frames", "a label")
    lines = _numbers_behind_paths(file, "path frames label [label ...]", expected)
    for number, path, (frames, *labels) in lines:
        _check_count(file, number, "frames", frames)
        yield Record(path, tuple(labels), str(file), number, total_frames=frames)


def offset_lines(file: str | Path) -> Iterator[Record]:
    """Reads lines of the form `path offset frames label [label ...]`: parts of long videos.

    The example is `frames` frames long and begins `offset` frames behind the first of the folder.

    Raises:
        AnnotationError: for a line without a path, an offset, a number of frames, or a label.
    """
    expected = ("the offset", "the number of frames", "a label")
    lines = _numbers_behind_paths(file, "path offset frames label [label ...]", expected)
    for number, path, (offset, frames, *labels) in lines:
        _check_count(file, number, "offset", offset)
        _check_count(file, number, "frames", frames)
        yield Record(path, tuple(labels), str(file), number, total_frames=frames, offset=offset)


def part_lines(
    file: str | Path, parts: Literal["positive", "all"] = "positive"
) -> Iterator[Record]:
    """Reads lines of the form `path label parts [positive part ...]`: long videos cut into parts.

    Args:
        file: the annotation file.
        parts: which parts of a video examples are taken from: "positive" the listed ones, which
            show the class (counted from 0); videos that list none are left out, and a message
            says how many. "all" all parts.

    Raises:
        AnnotationError: for a line without a path, a label or a number of parts, or a positive
            part that does not exist.
        ValueError: for another value of `parts`.
    """
    if parts not in ("positive", "all"):
        raise ValueError(f"received parts={parts!r}, expected 'positive' or 'all'")
    left_out = 0
    expected = ("a label", "the number of parts")
    lines = _numbers_behind_paths(file, "path label parts [positive part ...]", expected)
    for number, path, (label, count, *positive) in lines:
        record = parts_record(path, label, count, positive, file, number, parts)
        left_out += not record.parts
        if record.parts:
            yield record
    if left_out:
        logging.info("%s: left out %d videos without positive parts", file, left_out)


def parts_record(path, label, count, positive, file, line, parts):
    """The record of a long video; see `part_lines`."""
    _check_count(file, line, "parts", count)
    wrong = [part for part in positive if not 0 <= part < count]
    if wrong:
        raise AnnotationError(
            f"{file}:{line}: received positive part {wrong[0]}, expected a number in [0, {count})"
        )
    chosen = range(count) if parts == "all" else positive
    return Record(path, (label,), str(file), line, parts=tuple(chosen))


def _check_count(file, line, name, count):
    if count < 0:
        raise AnnotationError(f"{file}:{line}: received {name} {count}, expected 0 or more")


def _numbers_behind_paths(file, form, expected):
    """Line number, path and at least as many integers as `expected` names, of each line."""
    for number, line in numbered_lines(file):
        words = line.split()
        count = 0
        while count < len(words) - 1 and _INTEGER.fullmatch(words[-1 - count]):
            count += 1
        if count < len(expected):
            raise AnnotationError(
                f"{file}:{number}: received {line!r}, expected {form!r}: "
                f"{_problem(words, count, expected)}"
            )
        path = line.rsplit(maxsplit=count)[0]
        yield number, path, tuple(int(word) for word in words[-count:])


def _problem(words, count, expected):
    if len(words) == count + 1 and _INTEGER.fullmatch(words[0]):
        return "a path is missing"
    if count == 0 and len(words) > 1:
        return f"the last word {words[-1]!r} is not an integer"
    return f"{expected[count]} is missing"
