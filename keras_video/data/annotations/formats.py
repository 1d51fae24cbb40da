"""Annotation files whose lines are words: a path, numbers, labels.

An annotation format is a function from a file to its records, for
`read_annotations(annotation_format=...)`.
Words are separated by spaces or tabs. The integers at the end of a line are numbers; the text
before them is the path, so a path may contain spaces. A path that ends in a number itself, such as
the folder `take 2`, is ambiguous: `read_annotations` takes the file or folder that
exists, and `labels=1` says that every line has one label. Blank lines are skipped.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from absl import logging

from .records import AnnotationError, Record, numbered_lines

_INTEGER = re.compile(r"[+-]?[0-9]+")
_BLANK = " \t"


def video_lines(file: str | Path, labels: int | None = None) -> Iterator[Record]:
    """Reads lines of the form `path label [label ...]`: videos, images.

    Args:
        file: the annotation file.
        labels: how many labels every line has; None takes all integers at its end.

    Raises:
        AnnotationError: for a line without a path or without an integer label at its end.
        ValueError: for a number of labels below 1.
    """

    def record(line, path, numbers):
        return Record(path, numbers, str(file), line)

    return _records(file, "path label [label ...]", ("a label",), record, labels)


def frame_lines(file: str | Path, labels: int | None = None) -> Iterator[Record]:
    """Reads lines of the form `path frames label [label ...]`: folders of frames, audio.

    Args:
        file, labels: see `video_lines`.

    Raises:
        AnnotationError: for a line without a path, a number of frames, or a label.
        ValueError: for a number of labels below 1.
    """

    def record(line, path, numbers):
        frames, *classes = numbers
        _check_count(file, line, "frames", frames)
        return Record(path, tuple(classes), str(file), line, total_frames=frames)

    expected = ("the number of frames", "a label")
    return _records(file, "path frames label [label ...]", expected, record, labels)


def offset_lines(file: str | Path, labels: int | None = None) -> Iterator[Record]:
    """Reads lines of the form `path offset frames label [label ...]`: parts of long videos.

    The example is `frames` frames long and begins `offset` frames after the first of the folder.

    Args:
        file, labels: see `video_lines`.

    Raises:
        AnnotationError: for a line without a path, an offset, a number of frames, or a label.
        ValueError: for a number of labels below 1.
    """

    def record(line, path, numbers):
        offset, frames, *classes = numbers
        _check_count(file, line, "offset", offset)
        _check_count(file, line, "frames", frames)
        return Record(path, tuple(classes), str(file), line, total_frames=frames, offset=offset)

    expected = ("the offset", "the number of frames", "a label")
    return _records(file, "path offset frames label [label ...]", expected, record, labels)


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

    def record(line, path, numbers):
        label, count, *positive = numbers
        return parts_record(path, label, count, positive, file, line, parts)

    expected = ("a label", "the number of parts")
    for reading in _records(file, "path label parts [positive part ...]", expected, record):
        # Where the line can be read in several ways, the reader of the file decides first.
        kept = [way for way in (reading, *reading.readings) if way.parts]
        if not kept and reading.problem:
            raise reading.problem
        left_out += not kept
        if kept:
            yield replace(kept[0], readings=tuple(kept[1:]), problem=reading.problem)
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


def _records(file, pattern, expected, record, labels=None):
    """The result of `record(line, path, numbers)` for each line, with its alternative readings.

    Args:
        pattern, expected: the line format and its required numbers, for error messages.
        labels: number of labels at the end of a line; None allows any number.
    """
    if labels is not None and labels < 1:
        raise ValueError(f"received labels={labels!r}, expected at least 1")
    least = len(expected) + (0 if labels is None else labels - 1)
    return _read_lines(file, pattern, expected, record, least, None if labels is None else least)


def _read_lines(file, pattern, expected, record, least, most):
    for number, line in numbered_lines(file, strip=False):
        line = line.rstrip()
        words = _words(line)
        count = 0
        while count < len(words) - 1 and _INTEGER.fullmatch(words[-1 - count]):
            count += 1
        if count < least:
            problem = _problem(words, count, (*expected, *["a label"] * least))
            raise AnnotationError(
                f"{file}:{number}: received {line.strip(_BLANK)!r}, expected {pattern!r}: {problem}"
            )
        counts = range(count if most is None else most, least - 1, -1)
        tried = [
            _attempt(record, number, path, numbers)
            for paths, numbers in (_split(line, words, count) for count in counts)
            for path in paths
        ]
        yield _first(tried)


def _first(tried):
    """The first valid record among readings and errors, with the other records attached."""
    if len(tried) == 1 and isinstance(tried[0], Record):
        return tried[0]
    records = [reading for reading in tried if isinstance(reading, Record)]
    problem = tried[0] if isinstance(tried[0], AnnotationError) else None
    if not records:
        raise problem
    return replace(records[0], readings=tuple(records[1:]), problem=problem)


def _words(line):
    return [word for word in line.replace("\t", " ").split(" ") if word]


def _split(line, words, count):
    """The possible paths before the last `count` numbers, the usual one first, and the numbers.

    A path may itself begin or end with spaces.
    """
    head, numbers = line, words[len(words) - count :]
    for word in reversed(numbers):
        head = head.rstrip(_BLANK)[: -len(word)]
    paths = (head.strip(_BLANK), head[:-1], head.rstrip(_BLANK))
    return dict.fromkeys(paths), tuple(map(int, numbers))


def _attempt(record, line, path, numbers):
    """The record, or the error raised by this reading of the line."""
    try:
        return record(line, path, numbers)
    except AnnotationError as error:
        return error


def _problem(words, count, expected):
    if len(words) == count + 1 and _INTEGER.fullmatch(words[0]):
        return "a path is missing"
    if count == 0 and len(words) == 1 and "," in words[0]:
        return "words are separated by spaces; `CsvTable` reads commas"
    if count == 0 and len(words) > 1:
        return f"the last word {words[-1]!r} is not an integer"
    return f"{expected[count]} is missing"
