"""Records of spans as files that `read_spans` and annotation tools read."""

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
    """Writes annotations, or what a model has found, as a file.

    Args:
        path: the file.
        records: what `read_spans` gives, or `SpanRecord`s of spans that were found.
        annotation_format: "csv", "activitynet" or "osl" (JSON; in "osl" points are events), or
            "label_studio" (tasks with predictions on a timeline, to be imported and corrected;
            frames are counted from 1). None takes "csv" for files that end in `.csv`, otherwise
            "activitynet".
        fps: frames per second of the videos, for "label_studio" alone, which counts frames.

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
            "per second for 'label_studio' alone"
        )
    make = {"csv": _csv, "activitynet": _activitynet, "osl": _osl}.get(annotation_format)
    text = _label_studio(records, fps) if make is None else make(records)
    atomic.write_text(path, text, errors="backslashreplace")


def _csv(records):
    """Lines of all spans; a video without any has a line of its own."""
    optional = {
        "score": any(span.score is not None for one in records for span in one.spans),
        "duration": any(one.duration is not None for one in records),
        "subset": any(one.subset for one in records),
    }
    columns = [*COLUMNS, *(name for name, used in optional.items() if used)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for one in records:
        facts = {"video": one.video, "duration": _shown(one.duration), "subset": one.subset}
        spans = [
            {"label": span.label, "start": _shown(span.start), "end": _shown(span.end),
             "score": _shown(span.score)}
            for span in one.spans
        ]  # fmt: skip
        writer.writerows({**facts, **span} for span in spans or [{}])
    return text.getvalue()


def _shown(number):
    return "" if number is None else repr(round(float(number), 6))


def _activitynet(records):
    videos = {}
    for one in records:
        facts = {"duration": one.duration, "subset": one.subset}
        facts = {name: value for name, value in facts.items() if value}
        if one.video in videos:
            raise ValueError(f"received two records of {one.video!r}, expected one")
        annotations = [_annotation(span) for span in one.spans]
        videos[os.fspath(one.video)] = {**facts, "annotations": annotations}
    return _json({"version": "keras_video", "database": videos})


def _annotation(span):
    found = {"segment": [round(span.start, 6), round(span.end, 6)], "label": span.label}
    return found if span.score is None else {**found, "score": round(float(span.score), 6)}


def _osl(records):
    classes = list(dict.fromkeys(name for one in records for name in one.classes))
    samples = []
    for number, one in enumerate(records):
        events = []
        for span in one.spans:
            start, end = (round(1000 * time) for time in (span.start, span.end))
            when = {"position_ms": start}
            if span.end > span.start:
                when = {"start_ms": start, "end_ms": end}
            score = {} if span.score is None else {"confidence_score": float(span.score)}
            events.append({"head": "action", "label": span.label, **when, **score})
        inputs = [{"type": "video", "path": one.video}]
        samples.append({"id": f"video_{number:04d}", "inputs": inputs, "events": events})
    labels = {"action": {"type": "single_label", "labels": classes}}
    return _json({"version": "2.0", "modalities": ["video"], "labels": labels, "data": samples})


def _label_studio(records, fps):
    tasks = []
    for one in records:
        results = []
        for number, span in enumerate(one.spans):
            frames = {
                "start": round(span.start * fps) + 1,
                "end": max(round(span.start * fps) + 1, round(span.end * fps)),
            }
            key = f"{one.video}/{number}/{span.label}/{frames}"
            found = {
                "id": uuid.uuid5(uuid.NAMESPACE_URL, key).hex[:10],
                "from_name": "timeline",
                "to_name": "video",
                "type": "timelinelabels",
                "value": {"ranges": [frames], "timelinelabels": [span.label]},
            }
            results.append(found if span.score is None else {**found, "score": float(span.score)})
        task = {"data": {"video": one.video}, "annotations": []}
        tasks.append({**task, "predictions": [{"model_version": "keras_video", "result": results}]})
    return _json(tasks)


def _json(value):
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
