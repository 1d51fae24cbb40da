"""Spans in JSON exports of Label Studio: timelines, audio regions, boxes in videos."""

import re
import urllib.parse

from ..annotations.records import AnnotationError
from .json_text import expect, objects, read_json
from .records import FileSpans, VideoSpans, checked_duration, checked_name, checked_span, is_number

# Keys of `value` that contain class names.
_LABELS = ("timelinelabels", "timeserieslabels", "labels")
_UPLOADED = re.compile(r"[0-9a-f]{8}-")


def label_studio_spans(file, frame_rate):
    """Reads a list of tasks with `data` and `annotations`.

    Supported are the results of `TimelineLabels` (ranges of frames, counted from 1, both ends
    included), of `Labels` on audio and video and of `TimeSeriesLabels` (seconds), and of
    `VideoRectangle` (a span for every period in which a box is enabled). Results of other types,
    such as choices for the whole video, are not spans.

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
        video = videos.setdefault(name, VideoSpans(name, task.source, names=names))
        for result in _results(task):
            _read_result(video, result, frame_rate)
    return FileSpans(list(videos.values()))


def _video_name(task):
    """The video file of a task, and other names that it may have."""
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
    """The results of the annotation to use."""
    annotations = objects(task["annotations"], task.source, "annotations")
    annotations = [item for item in annotations if not item.get("was_cancelled")]
    if len(annotations) > 1:
        true = [item for item in annotations if item.get("ground_truth")]
        if len(true) != 1:
            raise AnnotationError(
                f"{task.source}: received a task with {len(annotations)} annotations of which "
                f"{len(true)} are ground truth, expected one: mark it in Label Studio"
            )
        annotations = true
    return [
        result
        for annotation in annotations
        for result in objects(annotation.get("result"), annotation.source, "result")
    ]


def _read_result(video, result, frame_rate):
    value = expect(result.get("value", {}), dict, result.source, "value")
    labels = next((value[key] for key in _LABELS if key in value), None)
    if "sequence" in value:
        spans = _boxes(value)
    elif "ranges" in value:
        rate = frame_rate(video.video, value.source)
        ranges = objects(value["ranges"], value.source, "ranges")
        spans = [_frames(item, rate) for item in ranges]
    elif labels is not None and "start" in value:
        spans = [(value.source, value["start"], value.get("end", value["start"]))]
    else:
        return
    length = value.get("duration", result.get("original_length"))
    if video.duration is None and length is not None:
        video.duration = checked_duration(result.source, length)
    if not isinstance(labels, list) or not labels:
        raise AnnotationError(f"{result.source}: received labels {labels!r}, expected a list")
    for source, start, end in spans:
        video.spans += [checked_span(source, label, start, end) for label in labels]


def _frames(item, rate):
    """A range of frames as `(source, start, end)` in seconds."""
    numbers = [item.get("start"), item.get("end")]
    if not all(is_number(number) and number >= 1 for number in numbers):
        raise AnnotationError(
            f"{item.source}: received the range {numbers}, expected frame numbers of 1 or more"
        )
    return item.source, (numbers[0] - 1) / rate, numbers[1] / rate


def _boxes(value):
    """`(source, start, end)` of the periods in which a box is enabled, in seconds."""
    count, duration = value.get("framesCount"), value.get("duration")
    if not is_number(count) or not is_number(duration) or min(count, duration) <= 0:
        raise AnnotationError(
            f"{value.source}: received framesCount={count!r}, duration={duration!r}, expected "
            "numbers above 0"
        )
    rate, first = count / duration, None
    for keyframe in objects(value["sequence"], value.source, "sequence"):
        source, start, _ = _frames(_as_range(keyframe), rate)
        first = (source, start) if first is None else first
        if keyframe.get("enabled", True) is False:
            yield *first, start + 1 / rate
            first = None
    if first is not None:
        yield *first, duration


def _as_range(keyframe):
    """A keyframe as a range of one frame."""
    frame = keyframe.get("frame")
    item = type(keyframe)(start=frame, end=frame)
    item.source = keyframe.source
    return item
