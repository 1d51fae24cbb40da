"""Small videos of moving shapes with an audio track, drawn and encoded on first use."""

import dataclasses
import functools
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from .atomic_folders import Plan, fill_atomically, fill_parts
from .moving_shapes import MovingShapes, encode, home_folder
from .scenes import TASKS as SHAPES
from .scenes import draw

Task = Literal["audio", "both"]

SAMPLE_RATE = 16000
# Frequencies in Hz at the start and at the end.
_TONES = {"low": (300, 300), "high": (1200, 1200), "rising": (300, 1200), "falling": (1200, 300)}
# Incremented when the same parameters yield different videos, so that old folders are replaced.
_VERSION = 2


def make_audio_shapes(
    folder,
    task: Task = "audio",
    *,
    videos_per_class=40,
    val_videos_per_class=10,
    frames=48,
    size=64,
    seed=0,
):
    """Draw and encode a small dataset of mp4 files with audio, unless `folder` already holds it.

    Each video shows a moving shape, like those of `make_moving_shapes`, and has an audio track with
    a tone; pitch, loudness, overtones and noise vary. Two tasks:

    - `"audio"`: the class is the tone (`low`, `high`, `rising`, `falling`); the shape is
      uninformative.
    - `"both"`: the class is the shape, of two, and the tone, `low` or `high`
      (`red_circle_low` ...). Frames without audio, or audio without frames, leave at
      least half of the videos misclassified.

    The same arguments give the same videos.

    Args:
        folder: where the videos and lists go; a folder created with other arguments is replaced.
        task: what distinguishes the classes.
        videos_per_class: number of training videos per class.
        val_videos_per_class: number of validation videos per class.
        frames: number of frames per video, at 25 per second.
        size: height and width in pixels, an even number of at least 32.
        seed: any non-negative integer.

    Returns:
        A `MovingShapes` tuple `(train_list, val_list, class_names)`.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: `folder` holds files that this function did not create.
    """
    counts = (videos_per_class, val_videos_per_class)
    plan = Plan(task, *counts, frames, size, seed, _VERSION)
    plan.check(_CLASSES)
    folder = Path(folder)
    fill_atomically(folder, dataclasses.asdict(plan), functools.partial(_fill, plan=plan))
    return MovingShapes(folder / "train.txt", folder / "val.txt", tuple(_CLASSES[task]))


def embedded_audio_shapes(task: Task = "audio", **arguments):
    """`make_audio_shapes` in the Keras home, created on first use."""
    return make_audio_shapes(home_folder(f"audio_shapes_{task}"), task, **arguments)


_SHAPE_NAMES = SHAPES["appearance"].class_names
# Class names, each with the labels of the possible shapes, and the tone.
_CLASSES = {
    "audio": {tone: (tuple(range(len(_SHAPE_NAMES))), tone) for tone in _TONES},
    "both": {
        f"{_SHAPE_NAMES[shape]}_{tone}": ((shape,), tone)
        for shape in (0, 2)
        for tone in ("low", "high")
    },
}


def _fill(folder, plan):
    classes = _CLASSES[plan.task]
    looks = list(classes.values())

    def make_video(path, label, part, number):
        shapes, tone = looks[label]
        key = (plan.seed, part == "val", number)
        generator = np.random.default_rng([*key, label, 1])
        shape = int(generator.choice(shapes))
        scene, _ = SHAPES["appearance"].scene(shape, (*key, label), plan.size)
        wave = draw_tone(_TONES[tone], plan.frames / 25, generator)
        images = draw(scene, plan.frames, plan.size)
        encode(path, images, 12, functools.partial(_audio_track, wave=wave))

    fill_parts(folder, classes, plan.counts, make_video)


def draw_tone(hertz, seconds, generator):
    """A tone that glides from one frequency to another, with overtones and noise.

    Args:
        hertz: frequencies at the start and at the end, each varied by up to a fifth.
        seconds: duration.
        generator: `np.random.Generator` for the random variation.

    Returns:
        float32 array `(samples,)`, at `SAMPLE_RATE` per second.
    """
    count = round(seconds * SAMPLE_RATE)
    start, end = np.array(hertz) * generator.uniform(0.85, 1.2)
    turns = np.cumsum(np.geomspace(start, end, count)) / SAMPLE_RATE + generator.uniform()
    overtones = generator.uniform(0, 0.5, 3)
    wave = np.sin(2 * np.pi * turns)
    for number, strength in enumerate(overtones, start=2):
        wave += strength * np.sin(2 * np.pi * number * turns)
    wave *= generator.uniform(0.05, 0.5) / np.abs(wave).max()
    return (wave + generator.normal(0, 0.01, count)).astype(np.float32)


def _audio_track(container, wave):
    """Adds an audio track to a container; returns its packets."""
    stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
    frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
    frame.rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    return [*stream.encode(frame), *stream.encode()]
