"""Span files for viewers and video editors: subtitles (srt, vtt), timelines (otio), tables.

CSV and JSON are written by `data.write_spans` and read by `data.read_spans`; JSON is in the
ActivityNet format.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from keras_video import atomic
from keras_video.data.annotations.records import printable
from keras_video.data.spans.records import SpanRecord
from keras_video.data.spans.writing import write_spans

# Formats, named by file extension.
SPAN_FILES = ("csv", "json", "srt", "vtt", "otio")
# Seconds for which the cue of a span of zero length is displayed.
_MIN_CUE = 1.0


def write_span_file(
    path: str | Path, records: Sequence[SpanRecord], *, fps: float | None = None
) -> None:
    """Writes the spans of videos to a file in the format given by its extension.

    Args:
        path: ends in `.csv` or `.json`, for any number of videos; or, for one video, in `.srt` or
            `.vtt` (subtitles: a cue for each span) or `.otio` (OpenTimelineIO, for video editors:
            the video as a clip, with a marker for each span).
        records: a `SpanRecord` for each video; `.otio` needs its `duration`.
        fps: frames per second of the video; only for `.otio`, which counts frames.

    Raises:
        ValueError: for an unknown extension, several videos where one is expected, a missing
            duration, or `fps` that is missing or has no effect.
    """
    kind = file_kind(path)
    if (kind == "otio") != (fps is not None):
        raise ValueError(f"received fps={fps!r} for {path}, expected it for .otio only")
    if kind in ("csv", "json"):
        annotation_format = "csv" if kind == "csv" else "activitynet"
        write_spans(path, records, annotation_format=annotation_format)
        return
    if len(records) != 1:
        raise ValueError(f"{path}: received {len(records)} videos, expected one for .{kind}")
    (record,) = records
    writers = {"srt": _srt, "vtt": _vtt, "otio": lambda record: _otio(record, fps)}
    text = writers[kind](record)
    atomic.write_text(path, text, errors="backslashreplace")


def file_kind(path):
    """The format of a file, from its extension.

    Raises:
        ValueError: if the extension is unknown.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in SPAN_FILES:
        raise ValueError(f"received {path}, expected an extension of .{', .'.join(SPAN_FILES)}")
    return kind


def _srt(record):
    cues = [
        f"{number}\n{_clock(span.start, ',')} --> {_clock(_cue_end(span), ',')}\n{_caption(span)}\n"
        for number, span in enumerate(record.spans, 1)
    ]
    return "\n".join(cues)


def _vtt(record):
    cues = [
        f"{_clock(span.start, '.')} --> {_clock(_cue_end(span), '.')}\n{_escaped(_caption(span))}\n"
        for span in record.spans
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _cue_end(span):
    return span.end if span.end > span.start else span.start + _MIN_CUE


def _escaped(text):
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text


def _caption(span):
    """The caption of a span: one line of text."""
    score = "" if span.score is None else f" ({100 * span.score:.0f} %)"
    return f"{printable(span.label)}{score}"


def _clock(seconds, point):
    """A time as `hh:mm:ss` and milliseconds, separated by `point`."""
    total = round(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{milliseconds:03d}"


def _otio(record, fps):
    if record.duration is None:
        raise ValueError(f"{record.video}: received no duration, expected seconds for .otio")
    if not fps > 0:
        raise ValueError(f"received fps={fps!r}, expected frames per second above 0")

    def frames(seconds):
        value = float(round(seconds * fps))
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(fps), "value": value}

    def time_range(start, end):
        return {
            "OTIO_SCHEMA": "TimeRange.1",
            "start_time": frames(start),
            "duration": {**frames(0), "value": frames(end)["value"] - frames(start)["value"]},
        }

    markers = [
        {
            "OTIO_SCHEMA": "Marker.2",
            "name": printable(span.label),
            "color": "GREEN",
            "marked_range": time_range(span.start, span.end),
            "metadata": {"keras_video": {"score": span.score}},
        }
        for span in record.spans
    ]
    whole = time_range(0, record.duration)
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
    item = {"OTIO_SCHEMA": schema, "name": name, "source_range": None}
    return item | {"effects": [], "markers": [], "enabled": True, "metadata": {}}
