"""Clips of long videos for training on spans: how they are drawn and labeled."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..annotations.records import Record
from ..decoding.videos import open_video
from ..sources.videos import Videos
from .records import SpanRecord

BACKGROUND = "background"


@dataclasses.dataclass(frozen=True)
class SpanClip(Record):
    """A training example: a window of a long video. Returned by `span_clips`.

    Attributes:
        start, end: seconds of the span, or of the gap, that the window is drawn around.
        spans: `(class, start, end)` of all spans of the video.
        window: seconds of a clip.
        boundary_ratio: probability that the window is drawn across the start or the end.
        min_overlap: see `span_clips`.
        background: class of windows without a span; None assigns no class.
        fixed: whether the window is centered, as in an evaluation.
    """

    start: float = 0.0
    end: float = 0.0
    spans: tuple[tuple[int, float, float], ...] = ()
    window: float = 2.0
    boundary_ratio: float = 0.0
    min_overlap: float = 0.5
    background: int | None = None
    fixed: bool = False

    def draw(self, duration, rng):
        """Draws the start of a window, in seconds, in a video of this duration.

        Raises:
            ValueError: the span begins after the end of the video.
        """
        if self.start >= duration:
            raise ValueError(
                f"received a span that begins at {self.start:g} s, expected it to begin within the "
                f"video of {duration:g} s"
            )
        end = min(self.end, duration)
        if self.fixed:
            start = (self.start + end - self.window) / 2
        elif rng.uniform() < self.boundary_ratio:
            boundary = (self.start, end)[rng.integers(2)]
            start = boundary + rng.uniform(-1, 0) * self.window
        else:
            # Inside the span, or around it if it is shorter.
            start = rng.uniform(*sorted((self.start, end - self.window)))
        return float(np.clip(start, 0, max(0.0, duration - self.window)))

    def labels_at(self, start):
        """Tuple of classes of the window that begins at `start`; a single one with `background`.

        A class is present if its spans cover the fraction `min_overlap` of the window, or if that
        fraction of one of its spans is inside the window. Points count as spans of the window's
        length.
        """
        end, fractions, seconds = start + self.window, {}, {}
        for label, first, last in self.spans:
            if first == last:
                first, last = first - self.window / 2, last + self.window / 2
            shared = max(0.0, min(end, last) - max(start, first))
            seconds[label] = seconds.get(label, 0.0) + shared
            fraction = shared / min(self.window, last - first)
            covered = seconds[label] / self.window
            fractions[label] = max(fractions.get(label, 0.0), fraction, covered)
        # With a small tolerance, since seconds are rounded.
        limit = self.min_overlap - 1e-9
        present = [label for label, fraction in fractions.items() if fraction >= limit]
        present = sorted(label for label in present if seconds[label] > 0)
        if self.background is None:
            return tuple(present)
        return (max(present, key=lambda label: seconds[label], default=self.background),)


def span_clips(
    records: Sequence[SpanRecord],
    *,
    window: float = 2.0,
    training: bool = True,
    background_ratio: float = 1.0,
    boundary_ratio: float = 0.25,
    min_overlap: float = 0.5,
    background: Literal["class", "none"] = "class",
) -> list[SpanClip]:
    """The examples for training or evaluation on spans of long videos.

    They are records for `dataset_from_records`, `protocol_dataset` and `row_dataset`: a pass draws
    one window for every span, and `background_ratio` times that number from the gaps between spans,
    in proportion to their lengths. Frames are sampled within the window, and its label follows from
    the spans that overlap it, wherever it was drawn.

    Args:
        records: the result of `read_spans`.
        window: seconds of a window, from which the sampler takes the frames of a clip.
        training: False centers every window on its span or gap.
        background_ratio: background windows per span.
        boundary_ratio: probability that a window of a span is drawn across the start or end of
            the span; otherwise it is inside the span, or around it if the span is shorter.
            No effect in an evaluation.
        min_overlap: minimum fraction for a class to count: of the window that its spans cover, or
            of a span that is inside the window.
        background: "class" assigns background the class after the last (a softmax with one more
            class), and windows with several classes the one that lasts longest; "none" returns
            multi-hot labels, all 0 for background (sigmoids).

    Returns:
        A list of `SpanClip`; the spans first, in the order of the records.

    Raises:
        ValueError: numbers out of range, records whose classes differ, no span at all, or
            requested background without any gap.
        DecodeError: a video cannot be read whose duration the record does not state.
    """
    _check(window, background_ratio, boundary_ratio, min_overlap, background)
    classes = records[0].classes if records else ()
    for record in records:
        if record.classes != classes:
            raise ValueError(
                f"{record.source}: received classes {record.classes}, expected {classes}"
            )
    settings = {
        "window": float(window),
        "boundary_ratio": float(boundary_ratio) if training else 0.0,
        "min_overlap": float(min_overlap),
        "background": len(classes) if background == "class" else None,
        "fixed": not training,
    }
    clips = [
        _clip(record, span.source, settings, span.start, span.end, classes.index(span.label))
        for record in records
        for span in record.spans
    ]
    if not clips:
        raise ValueError(f"received {len(records)} records without a span, expected some")
    return clips + _background(records, settings, round(background_ratio * len(clips)))


def _check(window, background_ratio, boundary_ratio, min_overlap, background):
    if not window > 0:
        raise ValueError(f"received window={window!r}, expected seconds above 0")
    if not 0 <= background_ratio < np.inf:
        raise ValueError(f"received background_ratio={background_ratio!r}, expected 0 or more")
    if not 0 <= boundary_ratio <= 1:
        raise ValueError(f"received boundary_ratio={boundary_ratio!r}, expected it in [0, 1]")
    if not 0 < min_overlap <= 1:
        raise ValueError(f"received min_overlap={min_overlap!r}, expected it in (0, 1]")
    if background not in ("class", "none"):
        raise ValueError(f"received background={background!r}, expected 'class' or 'none'")


def _clip(record, source, settings, start, end, label):
    file, _, line = (source or record.source).rpartition(":")
    spans = tuple((record.classes.index(span.label), span.start, span.end) for span in record.spans)
    labels = () if label is None else (label,)
    location = {"file": file, "line": int(line) if line.isdigit() else 0}
    return SpanClip(record.video, labels, **location, start=start, end=end, spans=spans, **settings)


def _background(records, settings, count):
    """`count` clips, distributed over the gaps of all videos in proportion to their lengths."""
    if not count:
        return []
    gaps = [(record, start, end) for record in records for start, end in _gaps(record)]
    # A window that extends beyond a short gap would cover too much of the adjacent spans.
    gaps = [gap for gap in gaps if gap[2] - gap[1] >= settings["window"] / 2]
    if not gaps:
        raise ValueError(
            f"received videos without a gap of {settings['window'] / 2:g} s between spans, "
            "expected some, or background_ratio=0"
        )
    ends = np.cumsum([end - start for _, start, end in gaps])
    positions = (np.arange(count) + 0.5) / count * ends[-1]
    chosen = np.searchsorted(ends, positions)
    settings = {**settings, "boundary_ratio": 0.0}
    return [
        _clip(record, record.source, settings, start, end, settings["background"])
        for record, start, end in (gaps[number] for number in chosen)
    ]


def _gaps(record):
    if record.duration is not None:
        return record.gaps()
    video = open_video(record.video)
    return record.gaps(float(video.end_time - video.times[0]))


@dataclasses.dataclass(frozen=True)
class SpanWindows:
    """The source of `SpanClip`s: draws a window of a video.

    Args:
        videos: how the videos are read.

    Raises:
        ValueError: for a source other than `Videos`, or OpenCV, which has no timestamps.
    """

    videos: Videos = Videos()

    dtype = "uint8"

    def __post_init__(self):
        if not isinstance(self.videos, Videos) or self.videos.decoder != "pyav":
            raise ValueError(
                f"received spans of time and source={self.videos}, expected Videos(): other "
                "sources have no timestamps"
            )

    def open(self, record, rng):
        """A window of the record's video; it has `labels`."""
        opened = self.videos.open_file(record.path)
        video = getattr(opened, "video", opened)
        times = video.times - video.times[0]
        start = record.draw(float(video.end_time - video.times[0]), rng)
        first, last = np.searchsorted(times, [start, start + record.window], side="left")
        first = min(first, len(times) - 1)
        return _Window(opened, int(first), max(1, int(last - first)), record.labels_at(start))

    def shape(self, clips, clip_len):
        return self.videos.shape(clips, clip_len)

    def find(self, folder, follow_links=True):
        raise ValueError(f"received the folder {folder}, expected the records of `span_clips`")


@dataclasses.dataclass(frozen=True)
class _Window:
    """Consecutive frames of a video."""

    video: object
    first: int
    total_frames: int
    labels: tuple[int, ...]

    def read(self, indices):
        return self.video.read(np.asarray(indices) + self.first)


def windows_source(records, source):
    """The source for records: a `SpanWindows` if they are `SpanClip`s.

    Raises:
        ValueError: only some of them are, or the source has no timestamps.
    """
    count = sum(isinstance(record, SpanClip) for record in records)
    if not count:
        return source
    if count < len(records):
        raise ValueError(
            f"received {count} clips of spans among {len(records)} records, expected all or none"
        )
    return SpanWindows(source)
