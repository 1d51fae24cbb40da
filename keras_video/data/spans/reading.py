"""Reading of span annotation files in all supported formats."""

import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..annotations.records import AnnotationError, read_text
from ..decoding.sequential import frame_rate
from ..sources.videos import VIDEO_SUFFIXES
from .activitynet import activitynet_spans
from .csv_file import COLUMNS, csv_spans
from .cvat import cvat_spans
from .elan import elan_spans
from .json_text import read_json
from .label_studio import label_studio_spans
from .osl import osl_spans
from .records import SpanRecord
from .thumos import thumos_spans
from .via import via_spans
from .xml_text import read_xml

SPAN_FORMATS = {
    "csv": csv_spans,
    "activitynet": activitynet_spans,
    "thumos": thumos_spans,
    "cvat": cvat_spans,
    "label_studio": label_studio_spans,
    "osl": osl_spans,
    "via": via_spans,
    "elan": elan_spans,
}
_BY_FRAMES = (cvat_spans, label_studio_spans)


def read_spans(
    file: str | Path,
    root: str | Path | None = None,
    *,
    annotation_format: str | Callable | None = None,
    classes: Sequence[str] | None = None,
    subset: str | None = None,
    fps: float | None = None,
) -> list[SpanRecord]:
    """Reads an annotation file of spans of time.

    Args:
        file: the file; for THUMOS also a folder of them.
        root: folder that the names of videos are relative to. Names without a suffix, and those to
            which a tool added a prefix, are matched to existing files. None leaves names unchanged.
        annotation_format: "csv", "activitynet", "thumos", "cvat", "label_studio", "osl", "via" or
            "elan"; a reader of `keras_video.data.spans`, such as
            `functools.partial(elan_spans, tier="gesture")`; or None, which detects the format.
        classes: names of the classes in the order of their indices; None uses the order that the
            file states, otherwise sorts them.
        subset: the part of the dataset to read, if the file has subsets.
        fps: frames per second of the videos, for the formats that count frames ("cvat", timelines
            of "label_studio"). None reads it from the video files.

    Returns:
        A list of `SpanRecord`, one for each video in the order of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: naming file and line, for invalid content, a label that is not one of
            `classes`, a span outside the video, or a file without videos.
        ValueError: an unknown format or subset, or `fps` for a format that states seconds.
    """
    reader = _reader(file, annotation_format)
    counts_frames = getattr(reader, "func", reader) in _BY_FRAMES
    if fps is not None and (not counts_frames or not fps > 0):
        raise ValueError(
            f"received fps={fps!r} for {file}, expected None, since the file states seconds"
            if not counts_frames
            else f"received fps={fps!r}, expected frames per second above 0"
        )
    rate = functools.partial(_rate, root, fps)
    annotations = reader(file, rate)
    videos = _select_subset(file, annotations.videos, subset)
    if not videos:
        raise AnnotationError(f"{file}: received a file without videos, expected at least one")
    names, stems = _class_names(annotations, classes), functools.cache(_stems)
    return [_record(video, root, names, stems) for video in videos]


def detect_format(file: str | Path) -> str:
    """Detects the name of a file's format from its contents; see `read_spans`.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: for a file of unknown format.
    """
    file = Path(file)
    if file.is_dir():
        return "thumos"
    text = read_text(file).lstrip()
    if text.startswith("<"):
        tags = {"annotations": "cvat", "ANNOTATION_DOCUMENT": "elan"}
        tag = read_xml(file).tag
        if tag in tags:
            return tags[tag]
    elif text.startswith(("{", "[")):
        return _json_format(file)
    else:
        first = text.partition("\n")[0]
        if set(COLUMNS) <= {word.strip() for word in first.split(",")}:
            return "csv"
        if len(words := first.split()) >= 3 and all(map(_is_float, words[-2:])):
            return "thumos"
    raise AnnotationError(
        f"{file}:1: received a file that is none of {', '.join(SPAN_FORMATS)}, such as a CSV file "
        f"with the columns {','.join(COLUMNS)}; annotation_format= sets its format"
    )


def _json_format(file):
    try:
        root = json.loads(read_text(file))
    except (ValueError, RecursionError):
        root = read_json(file)  # slower, but reports where the error is
    if isinstance(root, list):
        return "label_studio"
    keys = {
        "activitynet": ({"database"}, {"results"}),
        "via": ({"metadata", "view", "file"},),
        "osl": ({"data"}, {"videos"}, {"UrlLocal"}),
    }
    for name, choices in keys.items():
        if any(choice <= set(root) for choice in choices):
            return name
    raise AnnotationError(
        f"{file}:1: received JSON with the fields {sorted(root)}, expected a list (Label Studio), "
        "'database' (ActivityNet), 'metadata' (VIA) or 'data' (OSL)"
    )


def _reader(file, annotation_format):
    if callable(annotation_format):
        return annotation_format
    name = detect_format(file) if annotation_format is None else annotation_format
    if name not in SPAN_FORMATS:
        raise ValueError(
            f"received annotation_format={name!r}, expected one of {', '.join(SPAN_FORMATS)}"
        )
    return SPAN_FORMATS[name]


def _rate(root, fps, video, source):
    """Frames per second of a video whose annotations count frames."""
    if fps is not None:
        return fps
    path = _path(video, root, _stems)
    if not os.path.isfile(path):  # noqa: PTH113 (no error for impossible names)
        raise AnnotationError(
            f"{source}: received times as numbers of frames, and there is no video {path}, "
            "expected fps= or the folder of the videos as root="
        )
    return frame_rate(path)


def _select_subset(file, videos, subset):
    if subset is None:
        return videos
    known = sorted({video.subset for video in videos})
    if subset not in known:
        raise ValueError(f"{file}: received subset={subset!r}, expected one of {known}")
    return [video for video in videos if video.subset == subset]


def _class_names(annotations, classes):
    if classes is None:
        listed = dict.fromkeys(annotations.classes or ())
        used = {span.label for video in annotations.videos for span in video.spans}
        return (*listed, *sorted(used - set(listed)))
    names = tuple(classes)
    for video in annotations.videos:
        for span in video.spans:
            if span.label not in names:
                raise AnnotationError(
                    f"{span.source}: received label {span.label!r}, expected one of "
                    f"{', '.join(map(str, names))}"
                )
    return names


def _record(video, root, classes, stems):
    for span in video.spans:
        if video.duration is not None and span.start > video.duration:
            raise AnnotationError(
                f"{span.source}: received a span that begins at {span.start:g} s, expected it to "
                f"begin within the video of {video.duration:g} s"
            )
    return SpanRecord(
        _path(video.video, root, stems, video.names),
        tuple(sorted(video.spans, key=_times)),
        classes,
        video.duration,
        tuple(sorted(video.ignored, key=_times)),
        video.subset,
        video.source,
    )


def _times(span):
    return span.start, span.end


def _path(video, root, stems, names=()):
    """The path of a video: the existing file in the root folder, or the name joined to the folder.

    Args:
        stems: function from a folder to `{name without suffix: names}` of its files.
        names: other names that the file may have.
    """
    if root is None:
        return video
    for name in (video, *names):
        if os.path.isfile(Path(root) / name):  # noqa: PTH113
            return str(Path(root) / name)
    folder, name = os.path.split(Path(root) / video)
    for stem in (name, f"v_{name}", *names):
        matches = stems(folder).get(stem, ())
        if len(matches) == 1:
            return str(Path(folder) / matches[0])
    return str(Path(root) / video)


def _stems(folder):
    """`{name without suffix: names}` of a folder's videos."""
    names = {}
    if os.path.isdir(folder):  # noqa: PTH112
        videos = (path for path in Path(folder).iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
        for path in sorted(videos):
            names.setdefault(path.stem, []).append(path.name)
    return names


def _is_float(word):
    try:
        float(word)
    except ValueError:
        return False
    return True
