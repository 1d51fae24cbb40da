"""One long video and the spans of time that are annotated in it."""

import math
from dataclasses import dataclass, field

from ..annotations.records import AnnotationError, printable


@dataclass(frozen=True)
class Span:
    """Something that happens in a video, from `start` to `end`.

    Attributes:
        label: name of the class.
        start, end: seconds from the start of the video; equal for a point in time, as in spotting.
        score: how sure a model is, or `None` for an annotation.
        source: where it was read, as `file:line`; no part of a comparison.
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
        video: the video file, joined with the root folder, or its name where there is no file.
        spans: what happens in it, ordered by start; spans may overlap, and there may be none.
        classes: names of all classes of the annotation file, in the order of their indices.
        duration: seconds, where the file says so.
        ignored: spans that are neither of a class nor background, such as ambiguous ones.
        subset: the part of the dataset, such as "training", where the file says so.
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
            duration: seconds of the video, where the record does not say.

        Raises:
            ValueError: neither says.
        """
        duration = self.duration if duration is None else duration
        if duration is None:
            raise ValueError(f"{self.video}: received no duration, expected seconds")
        found, time = [], 0.0
        taken = sorted((one.start, one.end) for one in (*self.spans, *self.ignored))
        for start, end in [*taken, (duration, duration)]:
            start = min(start, duration)
            if start > time:
                found.append((time, start))
            time = max(time, end)
        return found


def checked_span(source, label, start, end, score=None):
    """A `Span` of what a file says.

    Args:
        source: where it says so, for the message.
        label: name of the class.
        start, end: seconds.
        score: a number or `None`.

    Raises:
        AnnotationError: for a label that is no text, or times that are no span.
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
    """Seconds of a video as a file says them, or `None`.

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
    # Larger whole numbers are no floats.
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
    """Seconds of a text such as "12.5", "1:02.5" or "01:02:03".

    Raises:
        AnnotationError: for another text.
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
    """What a reader has found of one video; readers give these, `read_spans` makes records.

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
    """What a reader makes of a file.

    Attributes:
        videos: list of `VideoSpans`.
        classes: names of the classes in the order that the file states, or `None`.
    """

    videos: list
    classes: tuple | None = None
