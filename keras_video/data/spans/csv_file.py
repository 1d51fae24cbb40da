"""Spans in CSV files with the columns video, label, start, end."""

import csv
import io

from ..annotations.records import AnnotationError, read_text
from .records import FileSpans, VideoSpans, checked_duration, checked_name, checked_span, seconds_of

COLUMNS = ("video", "label", "start", "end")
_OPTIONAL = ("score", "duration", "subset")


def csv_spans(file, frame_rate=None):
    """Reads a CSV file whose first line names the columns `video,label,start,end`.

    Times are seconds or `h:mm:ss`. A line without label, start and end names a video without
    spans. Columns `score`, `duration` (seconds) and `subset` are optional; others are rejected.

    Raises:
        AnnotationError: naming the line.
    """
    reader = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    videos, columns = {}, None
    try:
        for fields in reader:
            source = f"{file}:{reader.line_num}"
            if not any(field.strip() for field in fields):
                continue
            if columns is None:
                columns = _columns(source, fields)
                continue
            if len(fields) != len(columns):
                raise AnnotationError(
                    f"{source}: received {len(fields)} fields, expected {len(columns)}: "
                    f"{','.join(columns)}"
                )
            _add(videos, source, dict(zip(columns, fields, strict=True)))
    except csv.Error as error:
        raise AnnotationError(f"{file}:{reader.line_num}: expected CSV: {error}") from error
    if columns is None:
        raise AnnotationError(f"{file}:1: received no lines, expected {','.join(COLUMNS)}")
    return FileSpans(list(videos.values()))


def _columns(source, fields):
    columns = [field.strip() for field in fields]
    missing = [name for name in COLUMNS if name not in columns]
    unknown = [name for name in columns if name not in (*COLUMNS, *_OPTIONAL)]
    if missing or unknown or len(set(columns)) < len(columns):
        raise AnnotationError(
            f"{source}: received the columns {','.join(columns)}, expected {','.join(COLUMNS)} and "
            f"any of {','.join(_OPTIONAL)}"
        )
    return columns


def _add(videos, source, row):
    row = {name: text.strip() for name, text in row.items()}
    name = checked_name(source, row["video"])
    video = videos.setdefault(name, VideoSpans(name, source))
    if row.get("duration"):
        duration = checked_duration(source, seconds_of(source, row["duration"]))
        video.duration = _consistent(source, "duration", video.duration, duration)
    if row.get("subset"):
        video.subset = _consistent(source, "subset", video.subset or None, row["subset"])
    if not (row["label"] or row["start"] or row["end"]):
        return
    start, end = (seconds_of(source, row[name]) for name in ("start", "end"))
    score = seconds_of(source, row["score"]) if row.get("score") else None
    video.spans.append(checked_span(source, row["label"], start, end, score))


def _consistent(source, name, previous, value):
    """A value that several lines of a video state, checked to be the same."""
    if previous not in (None, value):
        raise AnnotationError(
            f"{source}: received {name} {value!r}, expected {previous!r} as in previous lines"
        )
    return value
