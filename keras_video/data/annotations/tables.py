"""Annotation files with named fields: JSON and CSV.

An annotation format is a function from a file to its records, for
`read_annotations(annotation_format=...)`.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .formats import parts_record
from .records import AnnotationError, Record, read_text
from .shards import is_manifest, shard_records

# Categories of the tags of HVU (arXiv:1904.11451), and how many tags each has.
HVU_CATEGORIES = {
    "action": 739,
    "attribute": 117,
    "concept": 291,
    "event": 69,
    "object": 1678,
    "scene": 248,
}
_PATHS = ("filename", "frame_dir", "video_dir")


def json_records(file: str | Path) -> Iterator[Record]:
    """Reads a JSON list of objects with a path and `label`, a class index or a list of them.

    The path is called `filename` (videos), `frame_dir` (folders of frames, with `total_frames`
    and, for parts of long videos, `offset`) or `video_dir` (videos cut into parts, with
    `num_clips` and `positive_clip_inds`, whose positive parts are taken).

    A manifest of packed shards is read with `shard_records`.

    Raises:
        AnnotationError: naming the line, for text that is not JSON or an object with a
            missing field or a field of the wrong type.
    """
    if is_manifest(file):
        yield from shard_records(file)
        return
    for line, entry in json_entries(file):
        path = _entry_path(file, line, entry)
        if isinstance(entry.get("label"), dict):
            raise AnnotationError(f"{file}:{line}: received tags per category, read by TaggedJson")
        labels = _whole_numbers(file, line, "label", entry.get("label"))
        if "video_dir" in entry:
            positive = entry.get("positive_clip_inds")
            positive = _whole_numbers(file, line, "positive_clip_inds", positive)
            count = _whole_number(file, line, "num_clips", entry.get("num_clips"))
            yield parts_record(path, labels[0], count, positive, file, line, "positive")
            continue
        yield Record(path, labels, str(file), line, **_frame_numbers(file, line, entry))


@dataclass(frozen=True)
class TaggedJson:
    """Reads a JSON list of objects with a path and, as `label`, tags per category (HVU).

    `{"filename": ..., "label": {"action": [180], "scene": [206, 12]}}`: tags count from 0 within
    their category. Class indices of the records run through all categories in order. The
    classes of a category missing from an object are not `annotated`; categories that are not
    requested are left out.

    Args:
        categories: names of the categories and their numbers of tags.
    """

    categories: Mapping[str, int]

    @property
    def ranges(self) -> dict[str, range]:
        """The classes of each category."""
        ranges, start = {}, 0
        for name, count in self.categories.items():
            ranges[name] = range(start, start + count)
            start += count
        return ranges

    @property
    def classes(self) -> int:
        """Total number of classes across all categories."""
        return sum(self.categories.values())

    def __call__(self, file: str | Path) -> Iterator[Record]:
        ranges = self.ranges
        for line, entry in json_entries(file):
            path, tags = _entry_path(file, line, entry), entry.get("label")
            if not isinstance(tags, dict):
                raise AnnotationError(
                    f"{file}:{line}: received label {tags!r}, expected tags per category, as in "
                    '{"action": [180]}'
                )
            named = [name for name in ranges if name in tags]
            labels = [
                label for name in named for label in _shifted(file, line, name, tags, ranges[name])
            ]
            yield Record(
                path,
                tuple(labels),
                str(file),
                line,
                annotated=tuple(ranges[name] for name in named),
                **_frame_numbers(file, line, entry),
            )


@dataclass(frozen=True)
class CsvTable:
    """Reads a CSV file whose first line names the columns.

    Args:
        class_names: class names in index order if the labels are names; None expects indices.
        path: column of the path.
        label: column of the label.
        total_frames: column of the number of frames, or None.
        separator: separator between the labels of a video with several labels, or None.

    Raises:
        ValueError: two classes have the same name.
    """

    class_names: Sequence[str] | None = None
    path: str = "path"
    label: str = "label"
    total_frames: str | None = None
    separator: str | None = None

    def __post_init__(self):
        names = [] if self.class_names is None else list(self.class_names)
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(
                f"received class_names with {repeated} several times, expected a name per class"
            )

    def __call__(self, file: str | Path) -> Iterator[Record]:
        reader = csv.DictReader(io.StringIO(read_text(file), newline=""))
        columns = [name for name in (self.path, self.label, self.total_frames) if name is not None]
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise AnnotationError(
                f"{file}:1: received columns {reader.fieldnames}, expected one named {missing[0]!r}"
            )
        names = () if self.class_names is None else self.class_names
        indices = {str(name): index for index, name in enumerate(names)}
        for row in reader:
            line = reader.line_num
            if any(row[name] is None for name in columns):
                raise AnnotationError(f"{file}:{line}: received fewer fields than columns")
            words = row[self.label].split(self.separator) if self.separator else [row[self.label]]
            labels = tuple(self._index(file, line, word.strip(), indices) for word in words)
            frames = self.total_frames and _digits(file, line, row[self.total_frames])
            yield Record(row[self.path], labels, str(file), line, total_frames=frames)

    def _index(self, file, line, word, indices):
        if self.class_names is None:
            return _digits(file, line, word)
        if word not in indices:
            raise AnnotationError(
                f"{file}:{line}: received class {word!r}, expected one of the {len(indices)} names"
            )
        return indices[word]


def json_entries(file: str | Path) -> Iterator[tuple[int, dict]]:
    """The objects of a JSON list, each with the line on which it begins.

    Raises:
        AnnotationError: for text that is not a JSON list of objects.
    """
    text, decoder, line, counted = read_text(file), json.JSONDecoder(), 1, 0
    position = _skip_space(text, 0)
    if text[position : position + 1] != "[":
        raise AnnotationError(f"{file}:1: expected a JSON list of objects")
    position = _skip_space(text, position + 1)
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        try:
            entry, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise AnnotationError(f"{file}:{error.lineno}: {error.msg}") from error
        if not isinstance(entry, dict):
            raise AnnotationError(f"{file}:{line}: received {entry!r}, expected a JSON object")
        yield line, entry
        position = _skip_space(text, position)
        if text[position : position + 1] == ",":
            position = _skip_space(text, position + 1)
        elif text[position : position + 1] != "]":
            raise AnnotationError(f"{file}:{line}: expected ',' or ']' after the object")


def _skip_space(text, position):
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _entry_path(file, line, entry):
    paths = [entry[name] for name in _PATHS if isinstance(entry.get(name), str)]
    if len(paths) != 1:
        raise AnnotationError(
            f"{file}:{line}: received the fields {sorted(entry)}, expected one of "
            f"{', '.join(_PATHS)}"
        )
    return paths[0]


def _frame_numbers(file, line, entry):
    names = [name for name in ("total_frames", "offset") if entry.get(name) is not None]
    return {name: _whole_number(file, line, name, entry[name]) for name in names}


def _shifted(file, line, name, tags, classes):
    numbers = _whole_numbers(file, line, name, tags[name])
    wrong = [tag for tag in numbers if not 0 <= tag < len(classes)]
    if wrong:
        raise AnnotationError(
            f"{file}:{line}: received tag {wrong[0]} of {name}, expected one in [0, {len(classes)})"
        )
    return [classes[tag] for tag in numbers]


def _whole_numbers(file, line, name, value):
    values = value if isinstance(value, list) else [value]
    return tuple(_whole_number(file, line, name, item) for item in values)


def _whole_number(file, line, name, value):
    if not isinstance(value, int) or isinstance(value, bool):
        raise AnnotationError(f"{file}:{line}: received {name} {value!r}, expected a whole number")
    return value


def _digits(file, line, word):
    try:
        return int(word)
    except ValueError:
        raise AnnotationError(
            f"{file}:{line}: received {word!r}, expected a whole number"
        ) from None
