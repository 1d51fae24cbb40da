"""Spans in the formats of SoccerNet: OSL JSON files of OpenSportsLab, and `Labels-v2.json`."""

import contextlib
import re

from ..annotations.records import AnnotationError
from .json_text import expect, objects, read_json
from .records import FileSpans, VideoSpans, checked_name, checked_span, is_number

_GAME_TIME = re.compile(r"\s*([0-9]+)\s*-\s*([0-9]+):([0-9]{1,2})\s*")


def osl_spans(file, frame_rate=None, half_name="{}_720p.mkv"):
    """Reads OSL JSON, `{"labels": {head: {"labels"}}, "data": [{"inputs", "events"}]}`.

    An event `{"head", "label", "position_ms"}` is a point in time; one with `start_ms` and
    `end_ms` is a span. The video of a sample is the first of its inputs of that type.
    Files of OSL version 1 (`{"videos": [{"path", "annotations"}]}`) and SoccerNet's own
    (`{"UrlLocal", "annotations"}`, for a match in two halves, each a video) are read as well; their
    `position` is in milliseconds.

    Args:
        file: the file.
        half_name: file name template of a half of a match, in the folder `UrlLocal`.

    Raises:
        AnnotationError: naming the line.
    """
    root = expect(read_json(file), dict, f"{file}:1", "")
    if "data" in root:
        videos = [_sample(sample) for sample in objects(root["data"], root.source, "data")]
        return FileSpans(videos, _classes(root))
    if "videos" in root:
        videos = [_video(entry) for entry in objects(root["videos"], root.source, "videos")]
        names = root.get("labels")
        names = tuple(map(str, names)) if isinstance(names, list) and names else None
        return FileSpans(videos, names)
    if "annotations" in root:
        return FileSpans(_halves(root, half_name))
    raise AnnotationError(
        f"{file}:1: received the fields {sorted(root)}, expected 'data', 'videos' or 'annotations'"
    )


def _classes(root):
    """Class names of all heads, or `None`."""
    heads = expect(root.get("labels", {}), dict, root.source, "labels")
    names = []
    for head in heads.values():
        head = expect(head, dict, heads.source, "a head of labels")
        labels = expect(head.get("labels", []), list, head.source, "labels")
        names += [checked_name(head.source, name, "label") for name in labels]
    return tuple(dict.fromkeys(names)) or None


def _sample(sample):
    inputs = objects(sample.get("inputs"), sample.source, "inputs")
    videos = [item for item in inputs if item.get("type", "video") == "video"]
    if not videos:
        raise AnnotationError(
            f"{sample.source}: received a sample without an input of type 'video'"
        )
    name = checked_name(videos[0].source, videos[0].get("path"), "path")
    video = VideoSpans(name, sample.source)
    for event in objects(sample.get("events", []), sample.source, "events"):
        if "position_ms" in event:
            times = [event["position_ms"]] * 2
        else:
            times = [event.get("start_ms"), event.get("end_ms")]
        start, end = (_seconds(event, time) for time in times)
        score = event.get("confidence_score")
        video.spans.append(checked_span(event.source, event.get("label"), start, end, score))
    return video


def _video(entry):
    video = VideoSpans(checked_name(entry.source, entry.get("path"), "path"), entry.source)
    for event in objects(entry.get("annotations", []), entry.source, "annotations"):
        video.spans.append(_event(event))
    return video


def _halves(root, half_name):
    folder = checked_name(root.source, root.get("UrlLocal"), "UrlLocal").rstrip("/")
    videos = {}
    for event in objects(root["annotations"], root.source, "annotations"):
        time = event.get("gameTime")
        match = _GAME_TIME.fullmatch(str(time))
        if not match:
            raise AnnotationError(
                f"{event.source}: received gameTime {time!r}, expected 'half - mm:ss'"
            )
        name = f"{folder}/{half_name.format(match[1])}"
        video = videos.setdefault(name, VideoSpans(name, event.source))
        video.spans.append(_event(event))
    return list(videos.values())


def _event(event):
    """A point in time with `position`, in milliseconds."""
    time = _seconds(event, event.get("position"))
    return checked_span(event.source, event.get("label"), time, time, event.get("confidence"))


def _seconds(event, value):
    """Converts milliseconds, which the files contain as numbers or text, to seconds."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    if not is_number(value):
        raise AnnotationError(
            f"{event.source}: received the time {value!r}, expected 'position_ms' in milliseconds"
        )
    return value / 1000
