"""Spans as Label Studio exports them (JSON): timelines, regions of sound, boxes in videos."""

import re
import urllib.parse

from ..annotations.records import AnnotationError
from .json_text import expect, objects, read_json
from .records import FileSpans, VideoSpans, checked_duration, checked_name, checked_span, is_number

# Keys of `value` that hold the names of classes.
_LABELS = ("timelinelabels", "timeserieslabels", "labels")
_UPLOADED = re.compile(r"[0-9a-f]{8}-")


def label_studio_spans(file, frame_rate):
    """Reads a list of tasks with `data` and `annotations`.

    Read are the results of `TimelineLabels` (ranges of frames, counted from 1, both ends
    included), of `Labels` on audio and video and of `TimeSeriesLabels` (seconds), and of
    `VideoRectangle` (a span for every time that a box is enabled). Results of other types, such
    as choices for the whole video, are no spans.

    Args:
        file: the export; not "JSON-MIN".
        frame_rate: function from the name of a video to its frames per second, for timelines.

    Raises:
        AnnotationError: naming the line. Also for a task with several annotations, of which none
            or several are marked as ground truth.
    """
    tasks = objects(read_json(file), f"{file}:1", "tasks")
    videos = {}
    for task in tasks:
        name, names = _video_name(task)
        found = videos.setdefault(name, VideoSpans(name, task.source, names=names))
        for result in _results(task):
            _read_result(found, result, frame_rate)
    return FileSpans(list(videos.values()))


def _video_name(task):
    """The file of a task, and the names that it may have."""
    if "annotations" not in task:
        raise AnnotationError(
            f"{task.source}: received a task with the fields {sorted(task)}, expected "
            "'annotations': export as JSON, not as JSON-MIN"
        )
    fields = expect(task.get("data"), dict, task.source, "data")
    texts = [fields[key] for key in ("video", "video_url", "audio") if key in fields]
    texts = texts or [value for value in fields.values() if isinstance(value, str)]
    if len(texts) != 1:
        raise AnnotationError(
            f"{task.source}: received data with the fields {sorted(fields)}, expected 'video'"
        )
    address = urllib.parse.urlsplit(checked_name(task.source, texts[0]))
    served = urllib.parse.parse_qs(address.query).get("d")
    path = served[0] if served else urllib.parse.unquote(address.path)
    if not path.startswith("/data/upload/") and not address.scheme:
        return path, ()
    path = path.rpartition("/")[2]
    original = _UPLOADED.sub("", path, count=1)
    return original, (path,)


def _results(task):
    """The results of the annotation that counts."""
    made = objects(task["annotations"], task.source, "annotations")
    made = [one for one in made if not one.get("was_cancelled")]
    if len(made) > 1:
        true = [one for one in made if one.get("ground_truth")]
        if len(true) != 1:
            raise AnnotationError(
                f"{task.source}: received a task with {len(made)} annotations of which "
                f"{len(true)} are ground truth, expected one: mark it in Label Studio"
            )
        made = true
    return [one for each in made for one in objects(each.get("result"), each.source, "result")]


def _read_result(found, result, frame_rate):
    value = expect(result.get("value", {}), dict, result.source, "value")
    labels = next((value[key] for key in _LABELS if key in value), None)
    if "sequence" in value:
        spans = _boxes(value)
    elif "ranges" in value:
        rate = frame_rate(found.video, value.source)
        spans = [_frames(one, rate) for one in objects(value["ranges"], value.source, "ranges")]
    elif labels is not None and "start" in value:
        spans = [(value.source, value["start"], value.get("end", value["start"]))]
    else:
        return
    length = value.get("duration", result.get("original_length"))
    if found.duration is None and length is not None:
        found.duration = checked_duration(result.source, length)
    if not isinstance(labels, list) or not labels:
        raise AnnotationError(f"{result.source}: received labels {labels!r}, expected a list")
    for source, start, end in spans:
        found.spans += [checked_span(source, label, start, end) for label in labels]


def _frames(one, rate):
    """A range of frames as `(source, start, end)` in seconds."""
    numbers = [one.get("start"), one.get("end")]
    if not all(is_number(number) and number >= 1 for number in numbers):
        raise AnnotationError(
            f"{one.source}: received the range {numbers}, expected numbers of frames from 1 on"
        )
    return one.source, (numbers[0] - 1) / rate, numbers[1] / rate


def _boxes(value):
    """`(source, start, end)` of the times that a box is enabled, in seconds."""
    count, duration = value.get("framesCount"), value.get("duration")
    if not is_number(count) or not is_number(duration) or min(count, duration) <= 0:
        raise AnnotationError(
            f"{value.source}: received framesCount={count!r}, duration={duration!r}, expected "
            "numbers above 0"
        )
    rate, first = count / duration, None
    for one in objects(value["sequence"], value.source, "sequence"):
        source, start, _ = _frames(_as_range(one), rate)
        first = (source, start) if first is None else first
        if one.get("enabled", True) is False:
            yield *first, start + 1 / rate
            first = None
    if first is not None:
        yield *first, duration


def _as_range(one):
    """A keyframe as the range of its frame."""
    found = type(one)(start=one.get("frame"), end=one.get("frame"))
    found.source = one.source
    return found
