"""Spans as the JSON files of ActivityNet have them."""

from ..annotations.records import AnnotationError
from .json_text import expect, objects, read_json
from .records import FileSpans, VideoSpans, checked_duration, checked_span


def activitynet_spans(file, frame_rate=None):
    """Reads `{"database": {video: {"duration", "subset", "annotations": [{"segment", "label"}]}}}`.

    `segment` is `[start, end]` in seconds. Files of results, `{"results": {video: [{"segment",
    "label", "score"}]}}`, are read as well.

    Raises:
        AnnotationError: naming the line of the video or annotation.
    """
    root = expect(read_json(file), dict, f"{file}:1", "")
    for key in ("database", "results"):
        if key in root:
            entries = expect(root[key], dict, root.source, key)
            return FileSpans([_video(entries, name, entry) for name, entry in entries.items()])
    raise AnnotationError(
        f"{file}:1: received the fields {sorted(root)}, expected 'database' or 'results'"
    )


def _video(entries, name, entry):
    if isinstance(entry, list):
        source = next((one.source for one in entry if isinstance(one, dict)), entries.source)
        found, annotations = VideoSpans(name, source), objects(entry, source, name)
    else:
        entry = expect(entry, dict, entries.source, name)
        source = entry.source
        duration = checked_duration(source, entry.get("duration"))
        subset = entry.get("subset") or ""
        if not isinstance(subset, str):
            raise AnnotationError(f"{source}: received subset {subset!r}, expected text")
        found = VideoSpans(name, source, duration=duration, subset=subset)
        annotations = objects(entry.get("annotations", []), source, f"annotations of {name!r}")
    for one in annotations:
        found.spans.append(_span(one))
    return found


def _span(one):
    segment = one.get("segment")
    if not isinstance(segment, list) or len(segment) != 2:
        raise AnnotationError(f"{one.source}: received segment {segment!r}, expected [start, end]")
    return checked_span(one.source, one.get("label"), *segment, one.get("score"))
