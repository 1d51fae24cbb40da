"""Writing of span records to files that `read_spans` and annotation tools read."""

import csv
import io
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from keras_video import atomic

from .csv_file import COLUMNS
from .records import SpanRecord

WRITABLE = ("csv", "activitynet", "label_studio", "osl")


def write_spans(
    path: str | Path,
    records: Sequence[SpanRecord],
    *,
    annotation_format: str | None = None,
    fps: float | None = None,
) -> None:
    """Writes annotations, or the detections of a model, to a file.

    Args:
        path: the file.
        records: the result of `read_spans`, or `SpanRecord`s of detected spans.
        annotation_format: "csv", "activitynet" or "osl" (JSON; in "osl" points are events), or
            "label_studio" (tasks with predictions on a timeline, to be imported and corrected;
            frames are counted from 1). None selects "csv" for files that end in `.csv`, otherwise
            "activitynet".
        fps: frames per second of the videos, for "label_studio" only, which counts frames.

    Raises:
        ValueError: an unknown format, or `fps` where it has no effect or is missing.
    """
    if annotation_format is None:
        annotation_format = "csv" if Path(path).suffix.lower() == ".csv" else "activitynet"
    if annotation_format not in WRITABLE:
        raise ValueError(
            f"received annotation_format={annotation_format!r}, expected one of "
            f"{', '.join(WRITABLE)}"
        )
    if (annotation_format == "label_studio") != (fps is not None):
        raise ValueError(
            f"received fps={fps!r} for annotation_format={annotation_format!r}, expected frames "
            "per second for 'label_studio' only"
        )
    convert = {"csv": _csv, "activitynet": _activitynet, "osl": _osl}.get(annotation_format)
    text = _label_studio(records, fps) if convert is None else convert(records)
    atomic.write_text(path, text, errors="backslashreplace")


def _csv(records):
    """One line per span, and one for each video without spans."""
    optional = {
        "score": any(span.score is not None for record in records for span in record.spans),
        "duration": any(record.duration is not None for record in records),
        "subset": any(record.subset for record in records),
    }
    columns = [*COLUMNS, *(name for name, used in optional.items() if used)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        common = {
            "video": record.video,
            "duration": _number_text(record.duration),
            "subset": record.subset,
        }
        spans = [
            {"label": span.label, "start": _number_text(span.start), "end": _number_text(span.end),
             "score": _number_text(span.score)}
            for span in record.spans
        ]  # fmt: skip
        writer.writerows({**common, **span} for span in spans or [{}])
    return text.getvalue()


def _number_text(number):
    return "" if number is None else repr(round(float(number), 6))


def _activitynet(records):
    videos = {}
    for record in records:
        fields = {"duration": record.duration, "subset": record.subset}
        fields = {name: value for name, value in fields.items() if value}
        if record.video in videos:
            raise ValueError(f"received two records of {record.video!r}, expected one")
        annotations = [_annotation(span) for span in record.spans]
        videos[os.fspath(record.video)] = {**fields, "annotations": annotations}
    return _json({"version": "keras_video", "database": videos})


def _annotation(span):
    entry = {"segment": [round(span.start, 6), round(span.end, 6)], "label": span.label}
    return entry if span.score is None else {**entry, "score": round(float(span.score), 6)}


def _osl(records):
    classes = list(dict.fromkeys(name for record in records for name in record.classes))
    samples = []
    for number, record in enumerate(records):
        events = []
        for span in record.spans:
            start, end = (round(1000 * time) for time in (span.start, span.end))
            times = {"position_ms": start}
            if span.end > span.start:
                times = {"start_ms": start, "end_ms": end}
            score = {} if span.score is None else {"confidence_score": float(span.score)}
            events.append({"head": "action", "label": span.label, **times, **score})
        inputs = [{"type": "video", "path": record.video}]
        samples.append({"id": f"video_{number:04d}", "inputs": inputs, "events": events})
    labels = {"action": {"type": "single_label", "labels": classes}}
    return _json({"version": "2.0", "modalities": ["video"], "labels": labels, "data": samples})


def _label_studio(records, fps):
    tasks = []
    for record in records:
        results = []
        for number, span in enumerate(record.spans):
            frames = {
                "start": round(span.start * fps) + 1,
                "end": max(round(span.start * fps) + 1, round(span.end * fps)),
            }
            key = f"{record.video}/{number}/{span.label}/{frames}"
            result = {
                "id": uuid.uuid5(uuid.NAMESPACE_URL, key).hex[:10],
                "from_name": "timeline",
                "to_name": "video",
                "type": "timelinelabels",
                "value": {"ranges": [frames], "timelinelabels": [span.label]},
            }
            results.append(result if span.score is None else {**result, "score": float(span.score)})
        task = {"data": {"video": record.video}, "annotations": []}
        tasks.append({**task, "predictions": [{"model_version": "keras_video", "result": results}]})
    return _json(tasks)


def _json(value):
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
