"""Spans as SoccerNet has them: OSL JSON files of the OpenSportsLab, and `Labels-v2.json`."""

import contextlib
import re

from ..annotations.records import AnnotationError
from .json_text import expect, objects, read_json
from .records import FileSpans, VideoSpans, checked_name, checked_span, is_number

_GAME_TIME = re.compile(r"\s*([0-9]+)\s*-\s*([0-9]+):([0-9]{1,2})\s*")


def osl_spans(file, frame_rate=None, half_name="{}_720p.mkv"):
    """Reads OSL JSON, `{"labels": {head: {"labels"}}, "data": [{"inputs", "events"}]}`.

    An event `{"head", "label", "position_ms"}` is a point in time; one with `start_ms` and
    `end_ms` is a span. A sample is the first of its inputs that is a video. Files of OSL version 1
    (`{"videos": [{"path", "annotations"}]}`) and SoccerNet's own (`{"UrlLocal", "annotations"}`,
    of a match in two halves, each a video) are read as well; their `position` is in milliseconds.

    Args:
        file: the file.
        half_name: file name of a half of a match in the folder `UrlLocal`.

    Raises:
        AnnotationError: naming the line.
    """
    root = expect(read_json(file), dict, f"{file}:1", "")
    if "data" in root:
        videos = [_sample(one) for one in objects(root["data"], root.source, "data")]
        return FileSpans(videos, _classes(root))
    if "videos" in root:
        videos = [_video(one) for one in objects(root["videos"], root.source, "videos")]
        names = root.get("labels")
        names = tuple(map(str, names)) if isinstance(names, list) and names else None
        return FileSpans(videos, names)
    if "annotations" in root:
        return FileSpans(_halves(root, half_name))
    raise AnnotationError(
        f"{file}:1: received the fields {sorted(root)}, expected 'data', 'videos' or 'annotations'"
    )


def _classes(root):
    """Names of the classes of all heads, or `None`."""
    heads = expect(root.get("labels", {}), dict, root.source, "labels")
    names = []
    for head in heads.values():
        head = expect(head, dict, heads.source, "a head of labels")
        listed = expect(head.get("labels", []), list, head.source, "labels")
        names += [checked_name(head.source, name, "label") for name in listed]
    return tuple(dict.fromkeys(names)) or None


def _sample(one):
    inputs = objects(one.get("inputs"), one.source, "inputs")
    videos = [each for each in inputs if each.get("type", "video") == "video"]
    if not videos:
        raise AnnotationError(f"{one.source}: received a sample without an input of type 'video'")
    found = VideoSpans(checked_name(videos[0].source, videos[0].get("path"), "path"), one.source)
    for event in objects(one.get("events", []), one.source, "events"):
        if "position_ms" in event:
            times = [event["position_ms"]] * 2
        else:
            times = [event.get("start_ms"), event.get("end_ms")]
        start, end = (_milliseconds(event, time) for time in times)
        score = event.get("confidence_score")
        found.spans.append(checked_span(event.source, event.get("label"), start, end, score))
    return found


def _video(one):
    found = VideoSpans(checked_name(one.source, one.get("path"), "path"), one.source)
    for each in objects(one.get("annotations", []), one.source, "annotations"):
        found.spans.append(_event(each))
    return found


def _halves(root, half_name):
    folder = checked_name(root.source, root.get("UrlLocal"), "UrlLocal").rstrip("/")
    videos = {}
    for one in objects(root["annotations"], root.source, "annotations"):
        matched = _GAME_TIME.fullmatch(str(one.get("gameTime")))
        if not matched:
            raise AnnotationError(
                f"{one.source}: received gameTime {one.get('gameTime')!r}, expected 'half - mm:ss'"
            )
        name = f"{folder}/{half_name.format(matched[1])}"
        found = videos.setdefault(name, VideoSpans(name, one.source))
        found.spans.append(_event(one))
    return list(videos.values())


def _event(one):
    """A point in time with `position`, in milliseconds."""
    time = _milliseconds(one, one.get("position"))
    return checked_span(one.source, one.get("label"), time, time, one.get("confidence"))


def _milliseconds(event, value):
    """Seconds of milliseconds, which the files write as numbers or as text."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    if not is_number(value):
        raise AnnotationError(
            f"{event.source}: received the time {value!r}, expected 'position_ms' in milliseconds"
        )
    return value / 1000
