"""Spans in exports of CVAT, "CVAT for video" and "CVAT for images": tracks and tags per frame."""

from ..annotations.records import AnnotationError
from .records import FileSpans, VideoSpans, checked_name, checked_span
from .xml_text import read_xml, whole_number

_SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")


def cvat_spans(file, frame_rate):
    """Reads an XML file of CVAT.

    A track yields a span for every period in which its object is visible: from a shape to the next
    one that is `outside`, or to the last one of the track. Tags with the same label on consecutive
    frames are one span. CVAT exports shapes of single images as tracks of one frame each.

    Args:
        file: `annotations.xml`.
        frame_rate: function from the name of a video to its frames per second.

    Raises:
        AnnotationError: naming the line, also for document types, which CVAT's XML does not have.
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
        video, step = tasks[task]
        if labels and label not in labels:
            raise AnnotationError(
                f"{source}: received label {label!r}, expected one of {', '.join(labels)}"
            )
        rate = frame_rate(video.video, source)
        video.spans.append(checked_span(source, label, start / rate, (end + step) / rate))
    videos = {}
    for video, _ in tasks.values():  # the jobs of a task share one video
        merged = videos.setdefault(video.video, video)
        if merged is not video:
            merged.spans += video.spans
    return FileSpans(list(videos.values()), labels)


def _tasks(root):
    """`{id: (VideoSpans, frames to the next annotated one)}`; the id of a single task is `None`."""
    entries = {}
    for meta in root.all("meta"):
        parents = [meta, *meta.all("project")]
        parents += [tasks for project in parents for tasks in project.all("tasks")]
        for task in [task for parent in parents for task in parent.all("task", "job")]:
            name = task.inside("source") or meta.inside("source") or task.inside("name")
            checked_name(task.source, name, "<source>")
            entries[task.inside("id")] = (VideoSpans(name, task.source), _step(task))
    if not entries:
        raise AnnotationError(f"{root.source}: received no <meta> with a <task>, expected one")
    if len(entries) == 1:
        entries = {None: next(iter(entries.values()))}
    return entries


def _step(task):
    text = task.inside("frame_filter").partition("step=")[2]
    return max(1, whole_number(task.source, "frame_filter step", text)) if text else 1


def _labels(root):
    """Names of the classes, or `None` if the file does not list them."""
    names = []
    for meta in root.all("meta"):
        stack = list(meta.children)
        while stack:
            element = stack.pop(0)
            # Parts of skeletons are labels too; they name their parent.
            if element.tag == "label" and not element.inside("parent"):
                names.append(element.inside("name"))
            elif element.tag != "label":
                stack = [*element.children, *stack]
    return tuple(dict.fromkeys(name for name in names if name)) or None


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
                # The object is gone in this frame; `last` counts whole steps.
                yield track.source, task, label, first, max(last, frame - step)
                first = None
        if first is not None:
            yield track.source, task, label, first, last


def _task_of(element, tasks):
    return element.attributes.get("task_id") if None not in tasks else None


def _tags(root, tasks):
    """Runs of tags: of elements `<tag frame=>` and of tags inside `<image id=>`."""
    groups = {}
    images = [(tag, image.whole("id"), image) for image in root.all("image")
              for tag in image.all("tag")]  # fmt: skip
    tags = [(tag, tag.whole("frame"), tag) for tag in root.all("tag")]
    for tag, frame, element in [*tags, *images]:
        key = (_task_of(element, tasks), tag.get("label"))
        groups.setdefault(key, {})[frame] = tag.source
    for (task, label), frames in groups.items():
        step = tasks[task][1] if task in tasks else 1
        first = last = None
        for frame in sorted(frames):
            if last is not None and frame > last + step:
                yield frames[first], task, label, first, last
                first = None
            first, last = frame if first is None else first, frame
        yield frames[first], task, label, first, last
