"""A long video and its annotated spans of time."""

import math
from dataclasses import dataclass, field

from ..annotations.records import AnnotationError, printable


@dataclass(frozen=True)
class Span:
    """An action or event in a video, from `start` to `end`.

    Attributes:
        label: name of the class.
        start, end: seconds from the start of the video; equal for a point in time, as in spotting.
        score: confidence of a model, or `None` for an annotation.
        source: where it was read, as `file:line`; ignored in comparisons.
    """

    label: str
    start: float
    end: float
    score: float | None = None
    source: str = field(default="", compare=False, repr=False)

    @property
    def length(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start


@dataclass(frozen=True)
class SpanRecord:
    """The annotations of one video.

    Attributes:
        video: the video file, joined with the root folder, or its name if there is no file.
        spans: its annotated spans, ordered by start; spans may overlap, and there may be none.
        classes: names of all classes of the annotation file, in the order of their indices.
        duration: seconds, if the file states it.
        ignored: spans that are neither of a class nor background, such as ambiguous ones.
        subset: the part of the dataset, such as "training", if the file states it.
        source: where it was read, as `file:line`.
    """

    video: str
    spans: tuple[Span, ...]
    classes: tuple[str, ...]
    duration: float | None = None
    ignored: tuple[Span, ...] = ()
    subset: str = ""
    source: str = field(default="", compare=False, repr=False)

    def gaps(self, duration: float | None = None) -> list[tuple[float, float]]:
        """The background: `(start, end)` of the times without a span, in order.

        Args:
            duration: seconds of the video, if the record does not state it.

        Raises:
            ValueError: neither states it.
        """
        duration = self.duration if duration is None else duration
        if duration is None:
            raise ValueError(f"{self.video}: received no duration, expected seconds")
        gaps, time = [], 0.0
        taken = sorted((span.start, span.end) for span in (*self.spans, *self.ignored))
        for start, end in [*taken, (duration, duration)]:
            start = min(start, duration)
            if start > time:
                gaps.append((time, start))
            time = max(time, end)
        return gaps


def checked_span(source, label, start, end, score=None):
    """Creates a `Span` from the values in a file.

    Args:
        source: position in the file, for the message.
        label: name of the class.
        start, end: seconds.
        score: a number or `None`.

    Raises:
        AnnotationError: for a label that is not text, or times that do not form a span.
    """
    if not isinstance(label, str) or not label.strip():
        raise AnnotationError(f"{source}: received label {label!r}, expected the name of a class")
    for name, value in (("start", start), ("end", end)):
        if not is_number(value) or not math.isfinite(value):
            raise AnnotationError(f"{source}: received {name} {value!r}, expected seconds")
    if score is not None and not (is_number(score) and math.isfinite(score)):
        raise AnnotationError(f"{source}: received score {score!r}, expected a number")
    if start < 0 or end < start:
        raise AnnotationError(
            f"{source}: received a span from {start:g} to {end:g} s, expected 0 <= start <= end"
        )
    return Span(label.strip(), float(start), float(end), score, source)


def checked_duration(source, duration):
    """Seconds of a video as stated in a file, or `None`.

    Raises:
        AnnotationError: if it is not a number above 0.
    """
    if duration is None:
        return None
    if not is_number(duration) or not 0 < duration < math.inf:
        raise AnnotationError(f"{source}: received duration {duration!r}, expected seconds above 0")
    return float(duration)


def is_number(value):
    """Whether a value is an int or a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Larger integers are not exact as floats.
    return isinstance(value, float) or abs(value) <= 2**53


def checked_name(source, name, what="video"):
    """Text that names something.

    Raises:
        AnnotationError: for anything else.
    """
    if not isinstance(name, str) or not name.strip():
        raise AnnotationError(f"{source}: received {what} {name!r}, expected its name")
    return name.strip()


def seconds_of(source, text):
    """Parses seconds from text such as "12.5", "1:02.5" or "01:02:03".

    Raises:
        AnnotationError: for any other text.
    """
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(number < 0 for number in numbers[1:]):
        raise AnnotationError(
            f"{source}: received time {printable(text)!r}, expected seconds or h:mm:ss"
        )
    return sum(number * 60**power for power, number in enumerate(reversed(numbers)))


@dataclass
class VideoSpans:
    """The content that a reader has read for one video; `read_spans` converts it to records.

    Attributes:
        video: its name as the file spells it.
        source: where it is first named, as `file:line`.
        spans: list of `Span`.
        duration: seconds or `None`.
        subset: part of the dataset.
        ignored: spans that are neither of a class nor background.
        names: other names that the video's file may have.
    """

    video: str
    source: str
    spans: list = field(default_factory=list)
    duration: float | None = None
    subset: str = ""
    ignored: list = field(default_factory=list)
    names: tuple = ()


@dataclass
class FileSpans:
    """The content of a file, returned by a reader.

    Attributes:
        videos: list of `VideoSpans`.
        classes: names of the classes in the order that the file states, or `None`.
    """

    videos: list
    classes: tuple | None = None
