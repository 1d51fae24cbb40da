"""Drawings of spans: a timeline image, and a video with its chapters below. Needs Pillow."""

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
# Tick intervals of a timeline, in seconds.
_TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def draw_span_timeline(
    target: str | Path,
    record: SpanRecord,
    truth: Sequence[Span] = (),
    *,
    duration: float | None = None,
    width: int = 1000,
) -> None:
    """Writes an image of the spans of a video: a row per class, time from left to right.

    Args:
        target: the image file, such as `timeline.png`.
        record: its `classes` are the rows.
        truth: annotated spans, drawn as thin lines below those of the record.
        duration: seconds of the video; None takes the record's.
        width: width in pixels.

    Raises:
        ValueError: if the duration is unknown, or Pillow does not support the file extension.
        ModuleNotFoundError: if Pillow is not installed.
    """
    duration = record.duration if duration is None else duration
    if duration is None or not duration > 0:
        raise ValueError(
            f"{record.video}: received duration={duration!r}, expected seconds above 0"
        )
    image = timeline_image(record, duration, width, truth)
    with atomic.atomic_path(target) as part:
        image.save(part)


def draw_spans(
    target: str | Path,
    path: str | Path,
    spans: Sequence[Span],
    classes: Sequence[str] | None = None,
    *,
    verbose: int = 1,
) -> None:
    """Writes a copy of a video with its chapters below every frame, and its audio.

    The current spans are named; a timeline shows all spans, a row per class, with a line at the
    time of the frame.

    Args:
        target: the file to write, such as `chapters.mp4`.
        path: the video.
        spans: its spans.
        classes: names of the rows; None takes those that occur.
        verbose: 1 shows a progress bar.

    Raises:
        ValueError: if `target` is the video itself, or a span's class is not in `classes`.
        ModuleNotFoundError: if Pillow is not installed.
    """
    check_other_file(target, path)
    video = open_video(path)
    drawing = SpanDrawing(spans, float(video.end_time - video.times[0]), classes)
    write_drawn(target, path, video, drawing, verbose)


class SpanDrawing:
    """Draws the names of the current spans and a timeline below a frame.

    Args:
        spans: the spans of a video.
        duration: seconds of the video.
        classes: see `draw_spans`.

    Raises:
        ValueError: if a span's class is not in `classes`.
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
        frame = readable(image)
        width = frame.width
        if self._timeline is None or self._timeline.width != width:
            self._timeline = timeline_image(self._record, self._record.duration, width)
        timeline = self._timeline.copy()
        left, right = _margins(width, self._record.classes)
        x = left + (right - left) * min(seconds / self._record.duration, 1.0)
        line = [(x, 0), (x, timeline.height)]
        thickness = max(2, width // 400)
        pillow().ImageDraw.Draw(timeline).line(line, fill=_INK, width=thickness)
        return stacked(frame, self._names_at(seconds, width), timeline)

    def _names_at(self, seconds, width):
        size = _text_size(width)
        image = pillow().Image.new("RGB", (width, round(1.8 * size)), _PAPER)
        draw = pillow().ImageDraw.Draw(image)
        x = size // 2
        for span in self._record.spans:
            if span.start <= seconds < span.end:
                name = printable(span.label)
                color = _color(self._record.classes.index(span.label))
                draw.text((x, 0.9 * size), name, fill=color, font=_font(size), anchor="lm")
                x += round(draw.textlength(f"{name}  ", font=_font(size)))
        return image


def timeline_image(record, duration, width, truth=()):
    """An image of spans, a row per class, with the times below; a `PIL.Image.Image`."""
    _check_classes(record, truth)
    size, classes = _text_size(width), record.classes
    row, (left, right) = round(1.6 * size), _margins(width, classes)
    height = row * max(1, len(classes)) + round(1.8 * size)
    image = pillow().Image.new("RGB", (width, height), _PAPER)
    draw = pillow().ImageDraw.Draw(image)

    def x_at(seconds):
        return left + (right - left) * min(max(seconds / duration, 0.0), 1.0)

    for number, name in enumerate(classes):
        top = number * row
        draw.rectangle([left, top + 0.2 * size, right, top + row - 0.2 * size], fill=_FAINT)
        text = _truncated(printable(name), left - size, _font(size))
        draw.text((size // 2, top + row / 2), text, fill=_INK, font=_font(size), anchor="lm")
    for spans, inset, depth in ((record.spans, 0.2, None), (truth, None, 0.35)):
        for span in spans:
            top = classes.index(span.label) * row
            bottom = top + row - 0.2 * size
            upper = bottom - depth * size if depth else top + inset * size
            # A span of zero length is drawn one pixel wide.
            x = x_at(span.start)
            limits = [x, upper, max(x_at(span.end), x + 1), bottom]
            color = _color(classes.index(span.label)) if depth is None else _INK
            draw.rectangle(limits, fill=color)
    _draw_times(draw, duration, x_at, height, size, right - left)
    return image


def _draw_times(draw, duration, x_at, height, size, width):
    max_ticks = max(1, width / (5 * size))
    step = next((tick for tick in _TICKS if duration / tick <= max_ticks), duration)
    for seconds in np.arange(0, duration + step / 2, step):
        if seconds > duration:
            break
        minutes, rest = divmod(seconds, 60)
        text = f"{int(minutes)}:{rest:04.1f}" if step < 1 else f"{int(minutes)}:{int(rest):02d}"
        position = (x_at(seconds), height - 0.8 * size)
        draw.text(position, text, fill=_INK, font=_font(round(0.8 * size)), anchor="mm")


def _check_classes(record, truth=()):
    for span in (*record.spans, *truth):
        if span.label not in record.classes:
            raise ValueError(
                f"received a span of {span.label!r}, expected one of {list(record.classes)}"
            )


def _margins(width, classes):
    """The left and right ends of the timeline, in pixels."""
    size = _text_size(width)
    longest = max((_font(size).getlength(printable(name)) for name in classes), default=0)
    return round(min(longest, 0.35 * width)) + size, width - 2 * size


def _truncated(text, width, font):
    """The text, cut with an ellipsis if it is wider than `width`."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."


def _color(number):
    """A distinct color per class: hues are spaced by the golden angle."""
    hue = (0.58 + number * 0.381966) % 1
    return tuple(round(255 * value) for value in colorsys.hls_to_rgb(hue, 0.42, 0.6))


def _text_size(width):
    return int(np.clip(width / 30, 12, 32))


@functools.cache
def _font(size):
    return pillow().ImageFont.load_default(size)
