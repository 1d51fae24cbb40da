"""Spans as CVAT exports them, "CVAT for video" and "CVAT for images": tracks and tags by frame."""

from ..annotations.records import AnnotationError
from .records import FileSpans, VideoSpans, checked_name, checked_span
from .xml_text import read_xml, whole_number

_SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")


def cvat_spans(file, frame_rate):
    """Reads an XML file of CVAT.

    A track is a span for every time that its object is to be seen: from a shape to the shape that
    is `outside`, or to the last one of the track. Tags of one label on frames that follow each
    other are one span. Shapes of single images are tracks of one frame each: CVAT exports them so.

    Args:
        file: `annotations.xml`.
        frame_rate: function from the name of a video to its frames per second.

    Raises:
        AnnotationError: naming the line, also for document types, which XML of CVAT does not have.
    """
    root = read_xml(file)
    if root.tag != "annotations":
        raise AnnotationError(f"{root.source}: received <{root.tag}>, expected <annotations>")
    tasks = _tasks(root)
    runs = [*_tracks(root, tasks), *_tags(root, tasks)]
    labels = _labels(root)
    for source, task, label, start, end in runs:
        if task not in tasks:
            raise AnnotationError(f"{source}: received task {task!r}, which <meta> does not name")
        found, step = tasks[task]
        if labels and label not in labels:
            raise AnnotationError(
                f"{source}: received label {label!r}, expected one of {', '.join(labels)}"
            )
        rate = frame_rate(found.video, source)
        found.spans.append(checked_span(source, label, start / rate, (end + step) / rate))
    videos = {}
    for found, _ in tasks.values():  # the jobs of a task are of one video
        kept = videos.setdefault(found.video, found)
        if kept is not found:
            kept.spans += found.spans
    return FileSpans(list(videos.values()), labels)


def _tasks(root):
    """`{id: (VideoSpans, frames to the next annotated one)}`; the id of an only one is `None`."""
    found = {}
    for meta in root.all("meta"):
        places = [meta, *meta.all("project")]
        places += [tasks for project in places for tasks in project.all("tasks")]
        for task in [one for place in places for one in place.all("task", "job")]:
            name = task.inside("source") or meta.inside("source") or task.inside("name")
            checked_name(task.source, name, "<source>")
            found[task.inside("id")] = (VideoSpans(name, task.source), _step(task))
    if not found:
        raise AnnotationError(f"{root.source}: received no <meta> with a <task>, expected one")
    if len(found) == 1:
        found = {None: next(iter(found.values()))}
    return found


def _step(task):
    text = task.inside("frame_filter").partition("step=")[2]
    return max(1, whole_number(task.source, "frame_filter step", text)) if text else 1


def _labels(root):
    """Names of the classes, or `None` where the file does not list them."""
    found = []
    for meta in root.all("meta"):
        stack = list(meta.children)
        while stack:
            one = stack.pop(0)
            # Parts of skeletons are labels too, which name their parent.
            if one.tag == "label" and not one.inside("parent"):
                found.append(one.inside("name"))
            elif one.tag != "label":
                stack = [*one.children, *stack]
    return tuple(dict.fromkeys(name for name in found if name)) or None


def _tracks(root, tasks):
    for track in root.all("track"):
        label, task = track.get("label"), _task_of(track, tasks)
        step = tasks[task][1] if task in tasks else 1
        first = last = None
        shapes = sorted(track.all(*_SHAPES), key=lambda shape: shape.whole("frame"))
        if not shapes:
            raise AnnotationError(f"{track.source}: received a <track> without shapes")
        for shape in shapes:
            frame = shape.whole("frame")
            if shape.attributes.get("outside") != "1":
                first, last = frame if first is None else first, frame
            elif first is not None:
                # The object has gone by this frame; `last` counts whole steps.
                yield track.source, task, label, first, max(last, frame - step)
                first = None
        if first is not None:
            yield track.source, task, label, first, last


def _task_of(element, tasks):
    return element.attributes.get("task_id") if None not in tasks else None


def _tags(root, tasks):
    """Runs of tags, of elements `<tag frame=>` and of tags inside `<image id=>`."""
    found = {}
    images = [(tag, image.whole("id"), image) for image in root.all("image")
              for tag in image.all("tag")]  # fmt: skip
    tags = [(tag, tag.whole("frame"), tag) for tag in root.all("tag")]
    for tag, frame, place in [*tags, *images]:
        key = (_task_of(place, tasks), tag.get("label"))
        found.setdefault(key, {})[frame] = tag.source
    for (task, label), frames in found.items():
        step = tasks[task][1] if task in tasks else 1
        first = last = None
        for frame in sorted(frames):
            if last is not None and frame > last + step:
                yield frames[first], task, label, first, last
                first = None
            first, last = frame if first is None else first, frame
        yield frames[first], task, label, first, last
