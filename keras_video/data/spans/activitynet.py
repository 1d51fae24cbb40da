"""Spans in the JSON format of ActivityNet."""

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
        source = next((item.source for item in entry if isinstance(item, dict)), entries.source)
        video, annotations = VideoSpans(name, source), objects(entry, source, name)
    else:
        entry = expect(entry, dict, entries.source, name)
        source = entry.source
        duration = checked_duration(source, entry.get("duration"))
        subset = entry.get("subset") or ""
        if not isinstance(subset, str):
            raise AnnotationError(f"{source}: received subset {subset!r}, expected text")
        video = VideoSpans(name, source, duration=duration, subset=subset)
        annotations = objects(entry.get("annotations", []), source, f"annotations of {name!r}")
    for annotation in annotations:
        video.spans.append(_span(annotation))
    return video


def _span(annotation):
    segment = annotation.get("segment")
    if not isinstance(segment, list) or len(segment) != 2:
        raise AnnotationError(
            f"{annotation.source}: received segment {segment!r}, expected [start, end]"
        )
    score = annotation.get("score")
    return checked_span(annotation.source, annotation.get("label"), *segment, score)
