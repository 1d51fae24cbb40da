"""Clips of long videos for a training on spans: which are drawn, and what they are labeled."""

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
    """An example of a training on spans: a window of a long video. Made by `span_clips`.

    Attributes:
        start, end: seconds of the span, or of the gap, that the window is drawn around.
        spans: `(class, start, end)` of all spans of the video.
        window: seconds of a clip.
        boundary_ratio: probability that the window is drawn across the start or the end.
        min_overlap: see `span_clips`.
        background: class of windows without a span; None gives them no class.
        fixed: whether the window lies in the middle, as in an evaluation.
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
        """The first second of a window in a video of so many seconds.

        Raises:
            ValueError: the span begins behind the end of the video.
        """
        if self.start >= duration:
            raise ValueError(
                f"received a span from {self.start:g} s on, expected it to begin within the video "
                f"of {duration:g} s"
            )
        end = min(self.end, duration)
        if self.fixed:
            start = (self.start + end - self.window) / 2
        elif rng.uniform() < self.boundary_ratio:
            place = (self.start, end)[rng.integers(2)]
            start = place + rng.uniform(-1, 0) * self.window
        else:
            # Inside the span, or around it where it is shorter.
            start = rng.uniform(*sorted((self.start, end - self.window)))
        return float(np.clip(start, 0, max(0.0, duration - self.window)))

    def labels_at(self, start):
        """The classes of the window that begins there, a tuple; one class if there is `background`.

        A class is there if its spans cover `min_overlap` of the window, or if one of its spans
        lies in the window to that share of the span. Points count as spans of the window's length.
        """
        end, shares, seconds = start + self.window, {}, {}
        for label, first, last in self.spans:
            if first == last:
                first, last = first - self.window / 2, last + self.window / 2
            shared = max(0.0, min(end, last) - max(start, first))
            seconds[label] = seconds.get(label, 0.0) + shared
            share = shared / min(self.window, last - first)
            shares[label] = max(shares.get(label, 0.0), share, seconds[label] / self.window)
        # A little less, since seconds are rounded.
        there = [label for label, share in shares.items() if share >= self.min_overlap - 1e-9]
        there = sorted(label for label in there if seconds[label] > 0)
        if self.background is None:
            return tuple(there)
        return (max(there, key=lambda label: seconds[label], default=self.background),)


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
    """The examples of a training, or an evaluation, on spans of long videos.

    They are records for `dataset_from_records`, `protocol_dataset` and `row_dataset`: a pass draws
    one window for every span, and `background_ratio` times as many from the times without a span,
    longer gaps more often than short ones. Frames are sampled within the window, and its label is
    what the window shows of the spans of the video, wherever it was drawn.

    Args:
        records: what `read_spans` gives.
        window: seconds of a window, of which the sampler takes the frames of a clip.
        training: False puts every window in the middle of its span or gap.
        background_ratio: windows of background per span.
        boundary_ratio: probability that a window of a span is drawn so that the start or end of
            the span lies in it; otherwise it lies inside the span, or around it if that is shorter.
            No effect in an evaluation.
        min_overlap: share from which on a class counts: of the window that its spans cover, or of
            a span that lies in the window.
        background: "class" gives background the class behind the last (a softmax of one class
            more), and windows of several classes the one that lasts longest; "none" gives
            multi-hot labels, of background all 0 (sigmoids).

    Returns:
        A list of `SpanClip`; the spans first, in the order of the records.

    Raises:
        ValueError: numbers out of range, records whose classes differ, no span at all, or a
            background where there is none.
        DecodeError: a video whose duration has to be asked for cannot be read.
    """
    _check(window, background_ratio, boundary_ratio, min_overlap, background)
    classes = records[0].classes if records else ()
    for one in records:
        if one.classes != classes:
            raise ValueError(f"{one.source}: received classes {one.classes}, expected {classes}")
    settings = {
        "window": float(window),
        "boundary_ratio": float(boundary_ratio) if training else 0.0,
        "min_overlap": float(min_overlap),
        "background": len(classes) if background == "class" else None,
        "fixed": not training,
    }
    found = [
        _clip(one, span.source, settings, span.start, span.end, classes.index(span.label))
        for one in records
        for span in one.spans
    ]
    if not found:
        raise ValueError(f"received {len(records)} records without a span, expected some")
    return found + _background(records, settings, round(background_ratio * len(found)))


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
    spans = tuple((record.classes.index(one.label), one.start, one.end) for one in record.spans)
    labels = () if label is None else (label,)
    where = {"file": file, "line": int(line) if line.isdigit() else 0}
    return SpanClip(record.video, labels, **where, start=start, end=end, spans=spans, **settings)


def _background(records, settings, count):
    """So many clips, spread over the gaps of all videos by their lengths."""
    if not count:
        return []
    gaps = [(one, start, end) for one in records for start, end in _gaps(one)]
    # A window that sticks out of a short gap shows more of the spans around it.
    gaps = [gap for gap in gaps if gap[2] - gap[1] >= settings["window"] / 2]
    if not gaps:
        raise ValueError(
            f"received videos without a gap of {settings['window'] / 2:g} s between spans, "
            "expected some, or background_ratio=0"
        )
    ends = np.cumsum([end - start for _, start, end in gaps])
    places = (np.arange(count) + 0.5) / count * ends[-1]
    chosen = np.searchsorted(ends, places)
    settings = {**settings, "boundary_ratio": 0.0}
    return [
        _clip(one, one.source, settings, start, end, settings["background"])
        for one, start, end in (gaps[number] for number in chosen)
    ]


def _gaps(record):
    if record.duration is not None:
        return record.gaps()
    video = open_video(record.video)
    return record.gaps(float(video.end_time - video.times[0]))


@dataclasses.dataclass(frozen=True)
class SpanWindows:
    """Where the clips of `SpanClip`s come from: a source that draws a window of a video.

    Args:
        videos: how the videos are read.

    Raises:
        ValueError: for another source than `Videos`, or OpenCV, which knows no timestamps.
    """

    videos: Videos = Videos()

    dtype = "uint8"

    def __post_init__(self):
        if not isinstance(self.videos, Videos) or self.videos.decoder != "pyav":
            raise ValueError(
                f"received spans of time and source={self.videos}, expected Videos(): other "
                "sources know no times"
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
    """Frames of a video that follow each other."""

    video: object
    first: int
    total_frames: int
    labels: tuple[int, ...]

    def read(self, indices):
        return self.video.read(np.asarray(indices) + self.first)


def windows_source(records, source):
    """The source for records: a `SpanWindows` where they are `SpanClip`s.

    Raises:
        ValueError: some are and some are not, or the source knows no times.
    """
    count = sum(isinstance(record, SpanClip) for record in records)
    if not count:
        return source
    if count < len(records):
        raise ValueError(
            f"received {count} clips of spans among {len(records)} records, expected all or none"
        )
    return SpanWindows(source)
