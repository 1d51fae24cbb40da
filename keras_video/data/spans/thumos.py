"""Spans in the text files of THUMOS: one file per class."""

from pathlib import Path

from ..annotations.records import AnnotationError, numbered_lines
from .records import FileSpans, VideoSpans, checked_span

_AMBIGUOUS = "Ambiguous"


def thumos_spans(file, frame_rate=None):
    """Reads lines `video start end` in seconds; the class is the name of the file.

    Args:
        file: a text file named for its class, such as `Diving_val.txt`, or a folder of them. What
            follows the last `_` is the subset. Spans of a file `Ambiguous...` are neither of a
            class nor background.

    Raises:
        AnnotationError: naming the line, or a folder without such files.
    """
    file = Path(file)
    files = sorted(file.glob("*.txt")) if file.is_dir() else [file]
    if not files:
        raise AnnotationError(f"{file}: received a folder without .txt files, expected some")
    videos, classes = {}, []
    for path in files:
        label, _, subset = path.stem.rpartition("_")
        label, subset = (label, subset) if label else (path.stem, "")
        ambiguous = label == _AMBIGUOUS
        classes += [] if ambiguous or label in classes else [label]
        for line, text in numbered_lines(path):
            source = f"{path}:{line}"
            name, span = _line(source, text, label)
            video = videos.setdefault((name, subset), VideoSpans(name, source, subset=subset))
            (video.ignored if ambiguous else video.spans).append(span)
    return FileSpans(list(videos.values()), tuple(classes))


def _line(source, text, label):
    words = text.split()
    try:
        start, end = (float(word) for word in words[-2:])
    except ValueError:
        start = end = None
    if len(words) < 3 or start is None:
        raise AnnotationError(f"{source}: received {text!r}, expected 'video start end'")
    return " ".join(words[:-2]), checked_span(source, label, start, end)
