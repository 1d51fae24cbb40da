"""Scores drawn under the frames of a video. Needs Pillow, imported when drawing."""

import functools
from pathlib import Path

import numpy as np

from keras_video.data.annotations.records import printable
from keras_video.data.decoding.sequential import frames_in_order
from keras_video.data.decoding.video_writer import VideoWriter
from keras_video.data.decoding.videos import open_video
from keras_video.data.prepare.kept_sound import kept_sound
from keras_video.inference.even_pace import even_pace
from keras_video.progress import progress_bar

# Narrower frames are enlarged to this width in pixels, so that names can be read.
READABLE = 360
# Scores of a full bar: the smallest that the greatest score does not pass.
_FULL_BARS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
_PAPER, _INK, _FAINT = (250, 250, 250), (40, 40, 40), (214, 214, 214)
_COLORS = ((31, 111, 180), (217, 98, 43), (58, 146, 58), (142, 87, 181), (138, 109, 59))


def draw_scores(target, path, windows, class_names, top=3, *, verbose=1):
    """Writes a video again with its scores under every frame, shown at its time, and its sound.

    The sound is kept as it is where the container of `target` takes it, and encoded anew otherwise.

    Args:
        target: the file to write, such as `scores.mp4`.
        path: the video that the scores are of.
        windows, class_names, top: see `ScoreDrawing`.
        verbose: 1 shows a progress bar.

    Raises:
        ValueError: if the names do not fit, or `target` is the video itself.
        ModuleNotFoundError: if Pillow is not installed.
    """
    check_other_file(target, path)
    drawing = ScoreDrawing(windows, class_names, top)
    write_drawn(target, path, open_video(path), drawing, verbose)


def check_other_file(target, path):
    """Raises a ValueError where `target` is the video itself."""
    if Path(target).resolve() == Path(path).resolve():
        raise ValueError(f"{target} is the video itself: expected another file to write to")


def write_drawn(target, path, video, drawing, verbose=1):
    """Writes a video again, every frame as a drawing makes it of the frame and its seconds.

    Times and sound are kept.

    Args:
        target, path: see `draw_scores`.
        video: `path`, opened.
        drawing: a function from a frame and the seconds since the first to the picture.
        verbose: 1 shows a progress bar.
    """
    pace, times = even_pace(path), video.times
    bar = progress_bar(len(times), "frame", verbose)
    with (
        kept_sound(target, path, float(times[0])) as sound,
        VideoWriter(target, pace.rate, sound) as writer,
    ):
        for index, image in frames_in_order(path):
            seconds = times[index] - times[0]
            writer.write(drawing(image, seconds), seconds if pace.varies else None)
            bar.add(1)


class ScoreDrawing:
    """Draws a bar per class under a frame, and below them the scores over the whole video.

    Shown are the classes that come highest in any window, always in the same place. Where all
    scores are small a full bar, and the height of the curves, stands for less than 1.

    Args:
        windows: a `WindowScores`.
        class_names: a name per class.
        top: how many classes are shown.

    Raises:
        ValueError: if there are not as many names as classes.
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
        """The frame at a point in time with its panel below.

        Args:
            image: uint8 RGB `(height, width, 3)`.
            seconds: from the start of the video.

        Returns:
            uint8 RGB, at least as wide, higher by the panel.
        """
        picture = readable(image)
        scores = self._windows.at(seconds)[self._shown]
        named = list(zip(self._names, scores, strict=True))
        bars = score_bars(named, picture.width, self._full)
        return stacked(picture, bars, self._timeline_at(seconds, picture.width))

    def _timeline_at(self, seconds, width):
        if self._timeline is None or self._timeline.width != width:
            middles = (self._windows.starts + self._windows.ends) / 2
            end = self._windows.ends[-1]
            self._timeline = draw_curves(
                middles / end,
                self._windows.scores[:, self._shown] / self._full,
                width,
                4 * _text_size(width),
            )
        timeline = self._timeline.copy()
        margin = _text_size(width) // 2
        place = margin + (width - 2 * margin) * min(seconds / self._windows.ends[-1], 1.0)
        thickness = max(2, width // 400)
        line = [(place, margin // 2), (place, timeline.height - margin // 2)]
        pillow().ImageDraw.Draw(timeline).line(line, fill=_INK, width=thickness)
        return timeline


def draw_live(image, named_scores, caption):
    """A frame with bars and a line of text below it.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        named_scores: `[(name, score), ...]`.
        caption: the text.

    Returns:
        uint8 RGB, at least as wide, higher by the panel.
    """
    picture = readable(image)
    size = _text_size(picture.width)
    lines = _wrapped(caption, picture.width - size, _font(size))
    height = round((0.4 + 1.2 * len(lines)) * size)
    line = pillow().Image.new("RGB", (picture.width, height), _PAPER)
    place, text = (size // 2, height / 2), "\n".join(lines)
    draw = pillow().ImageDraw.Draw(line)
    draw.multiline_text(place, text, fill=_INK, font=_font(size), anchor="lm")
    full = full_bar(max((score for _, score in named_scores), default=1.0))
    return stacked(picture, score_bars(named_scores, picture.width, full), line)


def score_bars(named_scores, width, full=1.0):
    """A picture of bars, one line per class; long names take several lines of text.

    Args:
        named_scores: `[(name, score), ...]`, scores from 0 to 1.
        width: of the picture in pixels.
        full: score of a bar of full length; below 1 the picture says so.

    Returns:
        A `PIL.Image.Image`.
    """
    package = pillow()
    size = _text_size(width)
    font, margin = _font(size), size // 2
    left = round(0.46 * width)
    texts = [_wrapped(name, left - 2 * margin, font) for name, _ in named_scores]
    heights = [round((0.4 + 1.2 * len(lines)) * size) for lines in texts]
    note = "" if full >= 1 else f"full bar: {_share(full)}"
    height = sum(heights) + margin + (round(1.4 * size) if note else 0)
    picture = package.Image.new("RGB", (width, height), _PAPER)
    draw = package.ImageDraw.Draw(picture)
    right = width - margin - round(draw.textlength(" 0.00 %", font=font))
    top = margin // 2
    for number, (lines, (_, score)) in enumerate(zip(texts, named_scores, strict=True)):
        middle = top + heights[number] / 2
        place = (margin, middle)
        draw.multiline_text(place, "\n".join(lines), fill=_INK, font=font, anchor="lm")
        bar = [(left, middle - 0.45 * size), (right, middle + 0.45 * size)]
        draw.rectangle(bar, fill=_FAINT)
        length = round((right - left) * min(score / full, 1.0))
        if length > 0:
            color = _COLORS[number % len(_COLORS)]
            draw.rectangle([bar[0], (left + length, bar[1][1])], fill=color)
        draw.text((width - margin, middle), _share(score), fill=_INK, font=font, anchor="rm")
        top += heights[number]
    if note:
        draw.text((right, top + 0.7 * size), note, fill=_INK, font=font, anchor="rm")
    return picture


def full_bar(score):
    """The score of a full bar with which one of this score can be read: 1, 0.5, 0.2, 0.1, ..."""
    return min((step for step in _FULL_BARS if step >= score), default=1.0)


def _share(score):
    """A score in percent, with two significant digits."""
    percent = 100 * score
    places = 0 if percent >= 9.95 or percent == 0 else 1 if percent >= 0.995 else 2
    return f"{percent:.{places}f} %"


def draw_curves(places, curves, width, height):
    """A picture of scores over time.

    Args:
        places: points in time from 0 to 1, ascending, `(points,)`.
        curves: scores from 0 to 1, `(points, curves)`.
        width, height: of the picture in pixels.

    Returns:
        A `PIL.Image.Image`.
    """
    package = pillow()
    picture = package.Image.new("RGB", (width, height), _PAPER)
    draw = package.ImageDraw.Draw(picture)
    margin = _text_size(width) // 2
    for level in (0, 0.5, 1):
        y = margin + (height - 2 * margin) * (1 - level)
        draw.line([(margin, y), (width - margin, y)], fill=_FAINT)
    # A curve begins and ends with the video, though the first middle of a window lies inside.
    x = margin + (width - 2 * margin) * np.concatenate([[0], places, [1]])
    for number in reversed(range(curves.shape[1])):
        column = curves[[0, *range(len(curves)), len(curves) - 1], number]
        y = margin + (height - 2 * margin) * (1 - column)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        color = _COLORS[number % len(_COLORS)]
        draw.line(points, fill=color, width=max(2, width // 240), joint="curve")
    return picture


def readable(image):
    """A frame as a `PIL.Image.Image`, enlarged if it is narrower than `READABLE`."""
    image_module = pillow().Image
    picture = image_module.fromarray(np.ascontiguousarray(image))
    if picture.width >= READABLE:
        return picture
    height = round(picture.height * READABLE / picture.width)
    return picture.resize((READABLE, height), image_module.Resampling.BICUBIC)


def stacked(*pictures):
    """Pictures of one width below each other, uint8 `(height, width, 3)` with even sides."""
    joined = np.concatenate([np.asarray(one) for one in pictures])
    below, right = (side % 2 for side in joined.shape[:2])
    return np.pad(joined, ((0, below), (0, right), (0, 0)), mode="edge")


def _text_size(width):
    return int(np.clip(width / 28, 12, 40))


def _wrapped(text, width, font):
    """The lines of a text that is not wider than this; words break where they are."""
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
    """The package PIL with what is used of it.

    Raises:
        ModuleNotFoundError: saying what to install, if there is none.
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
