"""Scores drawn under the frames of a video. Needs Pillow, imported when drawing."""

import functools
from pathlib import Path

import numpy as np

from keras_video.data.annotations.records import printable
from keras_video.data.decoding.sequential import frames_in_order
from keras_video.data.decoding.video_writer import VideoWriter
from keras_video.data.decoding.videos import open_video
from keras_video.data.prepare.original_audio import original_audio
from keras_video.inference.even_pace import even_pace
from keras_video.progress import progress_bar

# Narrower frames are enlarged to this width in pixels, so that names can be read.
READABLE = 360
# Possible scores of a full bar; the smallest one that no score exceeds is used.
_FULL_BARS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
_PAPER, _INK, _FAINT = (250, 250, 250), (40, 40, 40), (214, 214, 214)
_COLORS = ((31, 111, 180), (217, 98, 43), (58, 146, 58), (142, 87, 181), (138, 109, 59))


def draw_scores(target, path, windows, class_names, top=3, *, verbose=1):
    """Writes a copy of a video with its scores under every frame, with timestamps and audio kept.

    The audio is copied if the container of `target` supports its codec, otherwise re-encoded.

    Args:
        target: the file to write, such as `scores.mp4`.
        path: the scored video.
        windows, class_names, top: see `ScoreDrawing`.
        verbose: 1 shows a progress bar.

    Raises:
        ValueError: if the number of names is wrong, or `target` is the video itself.
        ModuleNotFoundError: if Pillow is not installed.
    """
    check_other_file(target, path)
    drawing = ScoreDrawing(windows, class_names, top)
    write_drawn(target, path, open_video(path), drawing, verbose)


def check_other_file(target, path):
    """Raises a ValueError if `target` is the video itself."""
    if Path(target).resolve() == Path(path).resolve():
        raise ValueError(f"{target} is the video itself: expected another file to write to")


def write_drawn(target, path, video, drawing, verbose=1):
    """Writes a copy of a video with every frame drawn by a function; timestamps and audio are kept.

    Args:
        target, path: see `draw_scores`.
        video: the opened video at `path`.
        drawing: a function from a frame and the seconds since the first one to the new frame.
        verbose: 1 shows a progress bar.
    """
    pace, times = even_pace(path), video.times
    bar = progress_bar(len(times), "frame", verbose)
    with (
        original_audio(target, path, float(times[0])) as audio,
        VideoWriter(target, pace.rate, audio) as writer,
    ):
        for index, image in frames_in_order(path):
            seconds = times[index] - times[0]
            writer.write(drawing(image, seconds), seconds if pace.varies else None)
            bar.add(1)


class ScoreDrawing:
    """Draws a bar per class under a frame, and below them the scores over the whole video.

    The classes with the highest score in any window are shown, in a fixed order. If all scores are
    small, a full bar, and the full height of the curves, stands for less than 1.

    Args:
        windows: a `WindowScores`.
        class_names: a name per class.
        top: number of classes shown.

    Raises:
        ValueError: if the number of names is not that of the classes.
        ModuleNotFoundError: if Pillow is not installed.
    """

    def __init__(self, windows, class_names, top=3):
        classes = windows.scores.shape[1]
        if len(class_names) != classes:
            raise ValueError(f"{len(class_names)} class names: expected {classes}, one per class")
        pillow()
        self._windows = windows
        self._shown = np.argsort(-windows.scores.max(0), kind="stable")[: min(top, classes)]
        self._names = [printable(class_names[index]) for index in self._shown]
        # The same for all frames, so that bars can be compared.
        self._full = full_bar(windows.scores[:, self._shown].max())
        self._timeline = None

    def __call__(self, image, seconds):
        """A frame with the panel for its time below.

        Args:
            image: uint8 RGB `(height, width, 3)`.
            seconds: from the start of the video.

        Returns:
            uint8 RGB, at least as wide, with the panel added to the height.
        """
        frame = readable(image)
        scores = self._windows.at(seconds)[self._shown]
        named = list(zip(self._names, scores, strict=True))
        bars = score_bars(named, frame.width, self._full)
        return stacked(frame, bars, self._timeline_at(seconds, frame.width))

    def _timeline_at(self, seconds, width):
        if self._timeline is None or self._timeline.width != width:
            centers = (self._windows.starts + self._windows.ends) / 2
            end = self._windows.ends[-1]
            self._timeline = draw_curves(
                centers / end,
                self._windows.scores[:, self._shown] / self._full,
                width,
                4 * _text_size(width),
            )
        timeline = self._timeline.copy()
        margin = _text_size(width) // 2
        x = margin + (width - 2 * margin) * min(seconds / self._windows.ends[-1], 1.0)
        thickness = max(2, width // 400)
        line = [(x, margin // 2), (x, timeline.height - margin // 2)]
        pillow().ImageDraw.Draw(timeline).line(line, fill=_INK, width=thickness)
        return timeline


def draw_live(image, named_scores, caption):
    """A frame with bars and a line of text below it.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        named_scores: `[(name, score), ...]`.
        caption: the text.

    Returns:
        uint8 RGB, at least as wide, with the panel added to the height.
    """
    frame = readable(image)
    size = _text_size(frame.width)
    lines = _wrapped(caption, frame.width - size, _font(size))
    height = round((0.4 + 1.2 * len(lines)) * size)
    panel = pillow().Image.new("RGB", (frame.width, height), _PAPER)
    position, text = (size // 2, height / 2), "\n".join(lines)
    draw = pillow().ImageDraw.Draw(panel)
    draw.multiline_text(position, text, fill=_INK, font=_font(size), anchor="lm")
    full = full_bar(max((score for _, score in named_scores), default=1.0))
    return stacked(frame, score_bars(named_scores, frame.width, full), panel)


def score_bars(named_scores, width, full=1.0):
    """An image of bars, one per class; long names wrap over several lines of text.

    Args:
        named_scores: `[(name, score), ...]`, scores from 0 to 1.
        width: width of the image in pixels.
        full: score of a full-length bar; noted in the image if below 1.

    Returns:
        A `PIL.Image.Image`.
    """
    package = pillow()
    size = _text_size(width)
    font, margin = _font(size), size // 2
    left = round(0.46 * width)
    texts = [_wrapped(name, left - 2 * margin, font) for name, _ in named_scores]
    heights = [round((0.4 + 1.2 * len(lines)) * size) for lines in texts]
    note = "" if full >= 1 else f"full bar: {_percent(full)}"
    height = sum(heights) + margin + (round(1.4 * size) if note else 0)
    image = package.Image.new("RGB", (width, height), _PAPER)
    draw = package.ImageDraw.Draw(image)
    right = width - margin - round(draw.textlength(" 0.00 %", font=font))
    top = margin // 2
    for number, (lines, (_, score)) in enumerate(zip(texts, named_scores, strict=True)):
        center = top + heights[number] / 2
        position = (margin, center)
        draw.multiline_text(position, "\n".join(lines), fill=_INK, font=font, anchor="lm")
        bar = [(left, center - 0.45 * size), (right, center + 0.45 * size)]
        draw.rectangle(bar, fill=_FAINT)
        length = round((right - left) * min(score / full, 1.0))
        if length > 0:
            color = _COLORS[number % len(_COLORS)]
            draw.rectangle([bar[0], (left + length, bar[1][1])], fill=color)
        draw.text((width - margin, center), _percent(score), fill=_INK, font=font, anchor="rm")
        top += heights[number]
    if note:
        draw.text((right, top + 0.7 * size), note, fill=_INK, font=font, anchor="rm")
    return image


def full_bar(score):
    """The score of a full bar, so that a bar of this score is readable: 1, 0.5, 0.2, 0.1, ..."""
    return min((step for step in _FULL_BARS if step >= score), default=1.0)


def _percent(score):
    """A score in percent, with two significant digits."""
    percent = 100 * score
    digits = 0 if percent >= 9.95 or percent == 0 else 1 if percent >= 0.995 else 2
    return f"{percent:.{digits}f} %"


def draw_curves(times, curves, width, height):
    """A plot of scores over time.

    Args:
        times: points in time from 0 to 1, ascending, `(points,)`.
        curves: scores from 0 to 1, `(points, curves)`.
        width, height: size of the plot in pixels.

    Returns:
        A `PIL.Image.Image`.
    """
    package = pillow()
    image = package.Image.new("RGB", (width, height), _PAPER)
    draw = package.ImageDraw.Draw(image)
    margin = _text_size(width) // 2
    for level in (0, 0.5, 1):
        y = margin + (height - 2 * margin) * (1 - level)
        draw.line([(margin, y), (width - margin, y)], fill=_FAINT)
    # Extend curves to the ends of the video, beyond the centers of the first and last window.
    x = margin + (width - 2 * margin) * np.concatenate([[0], times, [1]])
    for number in reversed(range(curves.shape[1])):
        column = curves[[0, *range(len(curves)), len(curves) - 1], number]
        y = margin + (height - 2 * margin) * (1 - column)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        color = _COLORS[number % len(_COLORS)]
        draw.line(points, fill=color, width=max(2, width // 240), joint="curve")
    return image


def readable(image):
    """A frame as a `PIL.Image.Image`, enlarged if it is narrower than `READABLE`."""
    image_module = pillow().Image
    image = image_module.fromarray(np.ascontiguousarray(image))
    if image.width >= READABLE:
        return image
    height = round(image.height * READABLE / image.width)
    return image.resize((READABLE, height), image_module.Resampling.BICUBIC)


def stacked(*images):
    """Images of one width stacked vertically, uint8 `(height, width, 3)`, padded to even sides."""
    joined = np.concatenate([np.asarray(image) for image in images])
    below, right = (side % 2 for side in joined.shape[:2])
    return np.pad(joined, ((0, below), (0, right), (0, 0)), mode="edge")


def _text_size(width):
    return int(np.clip(width / 28, 12, 40))


def _wrapped(text, width, font):
    """The lines of a text wrapped to a width; longer words are broken."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= width:
            line = longer
            continue
        lines += [line] if line else []
        while font.getlength(word) > width and len(word) > 1:
            fitting = next(n for n in range(len(word) - 1, 0, -1)
                           if n == 1 or font.getlength(word[:n]) <= width)  # fmt: skip
            lines.append(word[:fitting])
            word = word[fitting:]
        line = word
    return [*lines, line]


@functools.cache
def _font(size):
    return pillow().ImageFont.load_default(size)


@functools.cache
def pillow():
    """The package PIL with the modules used here imported.

    Raises:
        ModuleNotFoundError: if it is missing, naming what to install.
    """
    try:
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Drawing needs Pillow: pip install keras-video[plots]", name="PIL"
        ) from error
    return PIL
