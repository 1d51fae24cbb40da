"""Spans drawn: a picture of a timeline, and a video with its chapters below. Needs Pillow."""

import colorsys
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_video import atomic
from keras_video.data.annotations.records import printable
from keras_video.data.decoding.videos import open_video
from keras_video.data.spans.records import Span, SpanRecord
from keras_video.inference.drawing import (
    check_other_file,
    pillow,
    readable,
    stacked,
    write_drawn,
)

_PAPER, _INK, _FAINT = (250, 250, 250), (40, 40, 40), (226, 226, 226)
# Steps between the times that a timeline names, in seconds.
_TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def draw_span_timeline(
    target: str | Path,
    record: SpanRecord,
    truth: Sequence[Span] = (),
    *,
    duration: float | None = None,
    width: int = 1000,
) -> None:
    """Writes a picture of the spans of a video: a row per class, time from left to right.

    Args:
        target: the picture, such as `timeline.png`.
        record: its `classes` are the rows.
        truth: annotated spans, drawn as thin lines below those of the record.
        duration: seconds of the video; None takes the record's.
        width: pixels.

    Raises:
        ValueError: nothing says how long the video is, or an ending that Pillow does not know.
        ModuleNotFoundError: if Pillow is not installed.
    """
    duration = record.duration if duration is None else duration
    if duration is None or not duration > 0:
        raise ValueError(
            f"{record.video}: received duration={duration!r}, expected seconds above 0"
        )
    picture = timeline_picture(record, duration, width, truth)
    with atomic.atomic_path(target) as part:
        picture.save(part)


def draw_spans(
    target: str | Path,
    path: str | Path,
    spans: Sequence[Span],
    classes: Sequence[str] | None = None,
    *,
    verbose: int = 1,
) -> None:
    """Writes a video again with its chapters below every frame, and its sound.

    Named are the spans of the moment; a timeline shows all of them, a row per class, and a line
    where the frame is.

    Args:
        target: the file to write, such as `chapters.mp4`.
        path: the video.
        spans: its spans.
        classes: names of the rows; None takes those that occur.
        verbose: 1 shows a progress bar.

    Raises:
        ValueError: `target` is the video itself, or a span is of none of `classes`.
        ModuleNotFoundError: if Pillow is not installed.
    """
    check_other_file(target, path)
    video = open_video(path)
    drawing = SpanDrawing(spans, float(video.end_time - video.times[0]), classes)
    write_drawn(target, path, video, drawing, verbose)


class SpanDrawing:
    """Draws what goes on, and a timeline, under a frame.

    Args:
        spans: the spans of a video.
        duration: seconds of the video.
        classes: see `draw_spans`.

    Raises:
        ValueError: a span is of none of `classes`.
        ModuleNotFoundError: if Pillow is not installed.
    """

    def __init__(self, spans, duration, classes=None):
        pillow()
        if classes is None:
            classes = dict.fromkeys(span.label for span in spans)
        self._record = SpanRecord("", tuple(spans), tuple(classes), duration)
        _check_classes(self._record)
        self._timeline = None

    def __call__(self, image, seconds):
        """The frame at a point in time with its panel below; see `ScoreDrawing`."""
        picture = readable(image)
        width = picture.width
        if self._timeline is None or self._timeline.width != width:
            self._timeline = timeline_picture(self._record, self._record.duration, width)
        timeline = self._timeline.copy()
        left, right = _margins(width, self._record.classes)
        place = left + (right - left) * min(seconds / self._record.duration, 1.0)
        line = [(place, 0), (place, timeline.height)]
        thickness = max(2, width // 400)
        pillow().ImageDraw.Draw(timeline).line(line, fill=_INK, width=thickness)
        return stacked(picture, self._names_at(seconds, width), timeline)

    def _names_at(self, seconds, width):
        size = _text_size(width)
        picture = pillow().Image.new("RGB", (width, round(1.8 * size)), _PAPER)
        draw = pillow().ImageDraw.Draw(picture)
        place = size // 2
        for span in self._record.spans:
            if span.start <= seconds < span.end:
                name = printable(span.label)
                color = _color(self._record.classes.index(span.label))
                draw.text((place, 0.9 * size), name, fill=color, font=_font(size), anchor="lm")
                place += round(draw.textlength(f"{name}  ", font=_font(size)))
        return picture


def timeline_picture(record, duration, width, truth=()):
    """A picture of spans, a row per class, with the times below; a `PIL.Image.Image`."""
    _check_classes(record, truth)
    size, classes = _text_size(width), record.classes
    row, (left, right) = round(1.6 * size), _margins(width, classes)
    height = row * max(1, len(classes)) + round(1.8 * size)
    picture = pillow().Image.new("RGB", (width, height), _PAPER)
    draw = pillow().ImageDraw.Draw(picture)

    def place(seconds):
        return left + (right - left) * min(max(seconds / duration, 0.0), 1.0)

    for number, name in enumerate(classes):
        top = number * row
        draw.rectangle([left, top + 0.2 * size, right, top + row - 0.2 * size], fill=_FAINT)
        text = _fitting(printable(name), left - size, _font(size))
        draw.text((size // 2, top + row / 2), text, fill=_INK, font=_font(size), anchor="lm")
    for spans, inset, depth in ((record.spans, 0.2, None), (truth, None, 0.35)):
        for span in spans:
            top = classes.index(span.label) * row
            bottom = top + row - 0.2 * size
            upper = bottom - depth * size if depth else top + inset * size
            # A point in time is seen too.
            limits = [place(span.start), upper, max(place(span.end), place(span.start) + 1), bottom]
            color = _color(classes.index(span.label)) if depth is None else _INK
            draw.rectangle(limits, fill=color)
    _draw_times(draw, duration, place, height, size, right - left)
    return picture


def _draw_times(draw, duration, place, height, size, room):
    most = max(1, room / (5 * size))
    step = next((one for one in _TICKS if duration / one <= most), duration)
    for seconds in np.arange(0, duration + step / 2, step):
        if seconds > duration:
            break
        minutes, rest = divmod(seconds, 60)
        text = f"{int(minutes)}:{rest:04.1f}" if step < 1 else f"{int(minutes)}:{int(rest):02d}"
        where = (place(seconds), height - 0.8 * size)
        draw.text(where, text, fill=_INK, font=_font(round(0.8 * size)), anchor="mm")


def _check_classes(record, truth=()):
    for span in (*record.spans, *truth):
        if span.label not in record.classes:
            raise ValueError(
                f"received a span of {span.label!r}, expected one of {list(record.classes)}"
            )


def _margins(width, classes):
    """Where the timeline begins and ends."""
    size = _text_size(width)
    longest = max((_font(size).getlength(printable(name)) for name in classes), default=0)
    return round(min(longest, 0.35 * width)) + size, width - 2 * size


def _fitting(text, room, font):
    """The text, or as much of it as there is room for."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."


def _color(number):
    """A color of its own for every class: hues apart by the golden angle."""
    hue = (0.58 + number * 0.381966) % 1
    return tuple(round(255 * one) for one in colorsys.hls_to_rgb(hue, 0.42, 0.6))


def _text_size(width):
    return int(np.clip(width / 30, 12, 32))


@functools.cache
def _font(size):
    return pillow().ImageFont.load_default(size)
