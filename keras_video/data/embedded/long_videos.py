"""Long videos of several actions with gaps between them, drawn and encoded on the spot."""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..sampling import check_whole
from ..spans.records import Span, SpanRecord
from ..spans.writing import write_spans
from .made_once import make_once
from .moving_shapes import encode, home_folder
from .scenes import TASKS, Scene, draw

_RATE = 25
# Seconds, least and most.
_ACTION, _GAP = (2.0, 6.0), (1.0, 4.0)
# Raised when the same parameters begin to give other videos, so that old folders are made anew.
_VERSION = 1


class LongVideos(NamedTuple):
    """Where a dataset of long videos lies.

    Attributes:
        train_list: CSV file of the spans of the videos to train on, for `read_spans`; names are
            relative to `root`.
        test_list: the same of the videos to test on.
        class_names: names of the classes, in the order of their indices.
    """

    train_list: Path
    test_list: Path
    class_names: tuple[str, ...]

    @property
    def root(self):
        """The folder that the lists' names start from."""
        return self.train_list.parent


def make_long_videos(folder, *, train_videos=30, test_videos=10, actions=5, size=64, seed=0):
    """Draw and encode a small dataset of long mp4 files, unless `folder` already holds it.

    Every video shows a place with a small grey shape, and `actions` actions one after the other:
    for 2 to 6 seconds a colored shape moves through it, whose look is the class (`red_circle` ...).
    Between them, for 1 to 4 seconds, a grey shape moves in its place. 5 actions last about 30
    seconds. The same arguments give the same videos.

    Args:
        folder: where videos and lists go; a folder made with other arguments is replaced.
        train_videos, test_videos: number of videos of each part.
        actions: actions of a video.
        size: height and width in pixels, an even number of at least 32.
        seed: any non-negative integer.

    Returns:
        A `LongVideos` tuple `(train_list, test_list, class_names)`.

    Raises:
        ValueError: an argument is out of its range.
        FileExistsError: `folder` holds files that this function did not make.
    """
    facts = {"kind": "long_videos", "train_videos": train_videos, "test_videos": test_videos,
             "actions": actions, "size": size, "seed": seed, "version": _VERSION}  # fmt: skip
    for name in ("train_videos", "test_videos", "actions"):
        check_whole(name, facts[name], 1)
    check_whole("seed", seed, 0)
    check_whole("size", size, 32)
    if size % 2:
        raise ValueError(f"received size={size}, expected an even number from 32 on")
    folder = Path(folder)
    make_once(folder, facts, functools.partial(_fill, facts=facts))
    return LongVideos(folder / "train.csv", folder / "test.csv", TASKS["appearance"].class_names)


def embedded_long_videos(**arguments):
    """`make_long_videos` in the Keras home, where trainings look for it; made on first use."""
    return make_long_videos(home_folder("long_videos"), **arguments)


def _fill(folder, facts):
    classes = TASKS["appearance"].class_names
    for part, count in (("train", facts["train_videos"]), ("test", facts["test_videos"])):
        (folder / part).mkdir()
        records = []
        for number in range(count):
            key = (facts["seed"], part == "test", number)
            name = f"{part}/{number:04d}.mp4"
            plan = _plan(np.random.default_rng(key), facts["actions"])
            images = _images(plan, key, facts["size"])
            encode(folder / name, images, 12)
            records.append(_record(name, plan, classes))
        write_spans(folder / f"{part}.csv", records)


def _plan(generator, actions):
    """`(class or None for a gap, frames)` of the parts of a video."""

    def frames(limits):
        return int(round(generator.uniform(*limits) * _RATE))

    parts = [(None, frames(_GAP))]
    for _ in range(actions):
        parts += [(int(generator.integers(4)), frames(_ACTION)), (None, frames(_GAP))]
    return parts


def _images(plan, key, size):
    """The frames of a video, uint8 `(frames, size, size, 3)`."""
    scene = TASKS["appearance"].scene
    place, _ = scene(0, key, size)
    images = []
    for number, (label, frames) in enumerate(plan):
        shown, _ = scene(label or 0, (*key, number + 1), size)
        grey = (int(120 + 60 * (number % 2)),) * 3
        look = grey if label is None else shown[1]
        one = Scene(shown[0], look, *shown[2:])
        one = one._replace(bystander=place.bystander, background=place.background)
        images.append(draw(one, frames, size))
    return np.concatenate(images)


def _record(name, plan, classes):
    ends = np.cumsum([frames for _, frames in plan]) / _RATE
    starts = np.concatenate([[0.0], ends[:-1]])
    spans = tuple(
        Span(classes[label], float(start), float(end))
        for (label, _), start, end in zip(plan, starts, ends, strict=True)
        if label is not None
    )
    return SpanRecord(name, spans, tuple(classes), float(ends[-1]))
