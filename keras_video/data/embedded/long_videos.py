"""Long videos of several actions with gaps between them, drawn and encoded on first use."""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..sampling import check_whole
from ..spans.records import Span, SpanRecord
from ..spans.writing import write_spans
from .atomic_folders import fill_atomically
from .moving_shapes import encode, home_folder
from .scenes import TASKS, Scene, draw

_RATE = 25
# Minimum and maximum, in seconds.
_ACTION, _GAP = (2.0, 6.0), (1.0, 4.0)
_INTERRUPTION, _FLASH = (0.3, 0.8), (0.2, 0.4)
# Incremented when the same parameters yield different videos, so that old folders are replaced.
_VERSION = 1


class LongVideos(NamedTuple):
    """Paths and class names of a dataset of long videos.

    Attributes:
        train_list: CSV file of the spans of the videos to train on, for `read_spans`; names are
            relative to `root`.
        test_list: the same for the videos to test on.
        class_names: class names, ordered by index.
    """

    train_list: Path
    test_list: Path
    class_names: tuple[str, ...]

    @property
    def root(self):
        """The folder that the names in the lists are relative to."""
        return self.train_list.parent


def make_long_videos(folder, *, train_videos=30, test_videos=10, actions=5, size=64, seed=0):
    """Draw and encode a small dataset of long mp4 files, unless `folder` already holds it.

    Every video shows a background with a small gray shape, and `actions` actions in sequence: for
    2 to 6 seconds a colored shape moves across it, whose appearance is the class
    (`red_circle` ...). Between actions, for 1 to 4 seconds, a gray shape moves instead. Half of the
    actions are interrupted for up to 0.8 seconds, during which the shape is gray, and in half of
    the gaps a colored shape flashes up for up to 0.4 seconds; neither is annotated. 5 actions last
    about 30 seconds. The same arguments give the same videos.

    Args:
        folder: where videos and lists go; a folder created with other arguments is replaced.
        train_videos, test_videos: number of videos of each split.
        actions: number of actions per video.
        size: height and width in pixels, an even number of at least 32.
        seed: any non-negative integer.

    Returns:
        A `LongVideos` tuple `(train_list, test_list, class_names)`.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: `folder` holds files that this function did not create.
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
    fill_atomically(folder, facts, functools.partial(_fill, facts=facts))
    return LongVideos(folder / "train.csv", folder / "test.csv", TASKS["appearance"].class_names)


def embedded_long_videos(**arguments):
    """`make_long_videos` in the Keras home, created on first use."""
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


class _Part(NamedTuple):
    """A part of a video.

    Attributes:
        label: class of the action, or `None` for a gap.
        frames: its length in frames.
        other: class shown during the interruption, or `None` for gray.
        disturbed: range of the interrupted frames, which may be empty.
    """

    label: int | None
    frames: int
    other: int | None
    disturbed: range


def _plan(generator, actions):
    """The parts of a video."""
    labels = [label for _ in range(actions) for label in (int(generator.integers(4)), None)]
    return [_part(generator, label) for label in (None, *labels)]


def _part(generator, label):
    def frames(limits):
        return int(round(generator.uniform(*limits) * _RATE))

    length = frames(_GAP if label is None else _ACTION)
    disturbed = frames(_FLASH if label is None else _INTERRUPTION)
    start = int(generator.integers(length // 4, max(length // 4 + 1, 3 * length // 4 - disturbed)))
    if generator.uniform() < 0.5:
        disturbed = 0
    other = int(generator.integers(4)) if label is None else None
    return _Part(label, length, other, range(start, start + disturbed))


def _images(plan, key, size):
    """The frames of a video, uint8 `(frames, size, size, 3)`."""
    scene = TASKS["appearance"].scene
    place, _ = scene(0, key, size)
    images = []
    for number, part in enumerate(plan):

        def drawn(label, number=number, part=part):
            shown, _ = scene(label or 0, (*key, number + 1), size)
            look = (120 + 60 * (number % 2),) * 3 if label is None else shown[1]
            part_scene = Scene(shown[0], look, *shown[2:])
            part_scene = part_scene._replace(bystander=place.bystander, background=place.background)
            return draw(part_scene, part.frames, size)

        images.append(drawn(part.label))
        if part.disturbed:
            between = list(part.disturbed)
            images[-1][between] = drawn(part.other)[between]
    return np.concatenate(images)


def _record(name, plan, classes):
    ends = np.cumsum([part.frames for part in plan]) / _RATE
    starts = np.concatenate([[0.0], ends[:-1]])
    spans = tuple(
        Span(classes[part.label], float(start), float(end))
        for part, start, end in zip(plan, starts, ends, strict=True)
        if part.label is not None
    )
    return SpanRecord(name, spans, tuple(classes), float(ends[-1]))
