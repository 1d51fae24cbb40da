"""Spans in project files of the VGG Image Annotator (VIA 3)."""

from ..annotations.records import AnnotationError
from .json_text import expect, read_json
from .records import FileSpans, VideoSpans, checked_name, checked_span


def via_spans(file, frame_rate=None):
    """Reads a project file of VIA 3, `{"attribute", "file", "view", "metadata"}`.

    An entry of `metadata` with two times `z` is a span; each of its attributes names a class: an
    option by its text, or the text that was typed. Entries with one time and `xy` are regions in
    a frame, not spans.

    Raises:
        AnnotationError: naming the line.
    """
    root = expect(read_json(file), dict, f"{file}:1", "")
    attributes, files, views, entries = (
        expect(root.get(name), dict, root.source, name)
        for name in ("attribute", "file", "view", "metadata")
    )
    videos = {}
    for number, view in views.items():
        view = expect(view, dict, views.source, f"view {number!r}")
        fids = expect(view.get("fid_list"), list, view.source, "fid_list")
        if len(fids) != 1 or str(fids[0]) not in files:
            raise AnnotationError(
                f"{view.source}: received fid_list {fids}, expected one of the files {list(files)}"
            )
        video = expect(files[str(fids[0])], dict, files.source, "file")
        name = checked_name(video.source, video.get("fname"), "fname")
        videos[number] = VideoSpans(name, video.source)
    for key, entry in entries.items():
        _read_entry(expect(entry, dict, entries.source, key), attributes, videos)
    return FileSpans(list(videos.values()))


def _read_entry(entry, attributes, videos):
    number, times = str(entry.get("vid")), entry.get("z")
    if number not in videos:
        raise AnnotationError(f"{entry.source}: received vid {number!r}, which is not a view")
    if not isinstance(times, list) or len(times) > 2:
        raise AnnotationError(f"{entry.source}: received z {times!r}, expected [start, end]")
    if len(times) < 2:
        return
    values = expect(entry.get("av", {}), dict, entry.source, "av")
    labels = [label for key, value in values.items()
              for label in _labels(entry, attributes, key, value)]  # fmt: skip
    if not labels:
        raise AnnotationError(
            f"{entry.source}: received a span without attributes, expected one that names its class"
        )
    videos[number].spans += [checked_span(entry.source, label, *times) for label in labels]


def _labels(entry, attributes, key, value):
    """The class names in an attribute of a span."""
    if key not in attributes:
        raise AnnotationError(
            f"{entry.source}: received attribute {key!r}, expected one of {list(attributes)}"
        )
    attribute = expect(attributes[key], dict, attributes.source, f"attribute {key!r}")
    options = expect(attribute.get("options", {}), dict, attribute.source, "options")
    text = checked_name(entry.source, value, f"value of attribute {key!r}")
    if text in options:
        return [options[text]]
    chosen = text.split(",")  # several boxes may be checked
    return [options[key] for key in chosen] if all(key in options for key in chosen) else [text]
