"""Spans of a video as files for people and editors: subtitles (srt, vtt), timelines (otio), tables.

CSV and JSON are those of `data.write_spans`, which `data.read_spans` reads; JSON is ActivityNet's.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from keras_video import atomic
from keras_video.data.annotations.records import printable
from keras_video.data.spans.records import SpanRecord
from keras_video.data.spans.writing import write_spans

# Format by the ending of a file.
SPAN_FILES = ("csv", "json", "srt", "vtt", "otio")
# A point in time is to be seen for so many seconds.
_SHOWN = 1.0


def write_span_file(
    path: str | Path, records: Sequence[SpanRecord], *, fps: float | None = None
) -> None:
    """Writes the spans of videos as a file whose ending says the format.

    Args:
        path: ends in `.csv` or `.json`, for any number of videos; or, for one video, in `.srt` or
            `.vtt` (subtitles: a cue for each span) or `.otio` (OpenTimelineIO, for video editors:
            the video as a clip, with a marker for each span).
        records: a `SpanRecord` for each video; `.otio` needs its `duration`.
        fps: frames per second of the video, for `.otio` alone, which counts frames.

    Raises:
        ValueError: another ending, several videos where one is expected, or `fps` or a duration
            that is missing or has no effect.
    """
    kind = file_kind(path)
    if (kind == "otio") != (fps is not None):
        raise ValueError(f"received fps={fps!r} for {path}, expected it for .otio and no other")
    if kind in ("csv", "json"):
        form = "csv" if kind == "csv" else "activitynet"
        write_spans(path, records, annotation_format=form)
        return
    if len(records) != 1:
        raise ValueError(f"{path}: received {len(records)} videos, expected one for .{kind}")
    (record,) = records
    makers = {"srt": _srt, "vtt": _vtt, "otio": lambda record: _otio(record, fps)}
    text = makers[kind](record)
    atomic.write_text(path, text, errors="backslashreplace")


def file_kind(path):
    """The format of a file by its ending.

    Raises:
        ValueError: for an ending that is none of them.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in SPAN_FILES:
        raise ValueError(f"received {path}, expected an ending of .{', .'.join(SPAN_FILES)}")
    return kind


def _srt(record):
    cues = [
        f"{number}\n{_clock(one.start, ',')} --> {_clock(_shown_until(one), ',')}\n"
        f"{_caption(one)}\n"
        for number, one in enumerate(record.spans, 1)
    ]
    return "\n".join(cues)


def _vtt(record):
    cues = [
        f"{_clock(one.start, '.')} --> {_clock(_shown_until(one), '.')}\n"
        f"{_escaped(_caption(one))}\n"
        for one in record.spans
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _shown_until(span):
    return span.end if span.end > span.start else span.start + _SHOWN


def _escaped(text):
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(mark, entity)
    return text


def _caption(span):
    """What is shown of a span: a line of text."""
    score = "" if span.score is None else f" ({100 * span.score:.0f} %)"
    return f"{printable(span.label)}{score}"


def _clock(seconds, point):
    """`hh:mm:ss` and milliseconds."""
    total = round(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{point}{milliseconds:03d}"


def _otio(record, fps):
    if record.duration is None:
        raise ValueError(f"{record.video}: received no duration, expected seconds for .otio")
    if not fps > 0:
        raise ValueError(f"received fps={fps!r}, expected frames per second above 0")

    def frames(seconds):
        value = float(round(seconds * fps))
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(fps), "value": value}

    def between(start, end):
        return {
            "OTIO_SCHEMA": "TimeRange.1",
            "start_time": frames(start),
            "duration": {**frames(0), "value": frames(end)["value"] - frames(start)["value"]},
        }

    markers = [
        {
            "OTIO_SCHEMA": "Marker.2",
            "name": printable(one.label),
            "color": "GREEN",
            "marked_range": between(one.start, one.end),
            "metadata": {"keras_video": {"score": one.score}},
        }
        for one in record.spans
    ]
    whole = between(0, record.duration)
    name = Path(record.video).name
    media = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "name": "",
        "available_range": whole,
        "target_url": record.video,
        "metadata": {},
    }
    clip = {
        "OTIO_SCHEMA": "Clip.2",
        "name": name,
        "source_range": whole,
        "effects": [],
        "markers": markers,
        "enabled": True,
        "media_references": {"DEFAULT_MEDIA": media},
        "active_media_reference_key": "DEFAULT_MEDIA",
        "metadata": {},
    }
    track = {**_item("Track.1", "spans"), "kind": "Video", "children": [clip]}
    stack = {**_item("Stack.1", "tracks"), "children": [track]}
    timeline = {"OTIO_SCHEMA": "Timeline.1", "name": name, "global_start_time": None}
    timeline |= {"tracks": stack, "metadata": {}}
    return json.dumps(timeline, indent=1) + "\n"


def _item(schema, name):
    facts = {"OTIO_SCHEMA": schema, "name": name, "source_range": None}
    return facts | {"effects": [], "markers": [], "enabled": True, "metadata": {}}
