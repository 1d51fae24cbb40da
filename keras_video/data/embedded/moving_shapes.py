"""Small videos of moving shapes, drawn and encoded on first use: data for a trial training run."""

import dataclasses
import functools
import os
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np

from .atomic_folders import Plan, fill_atomically, fill_parts
from .scenes import TASKS, draw

Task = Literal["appearance", "order"]

_RATE = 25
_QUALITY = {"libx264": {"preset": "superfast", "qp": "22"}, "mpeg4": {"qmin": "3", "qmax": "3"}}
# Incremented when the same parameters yield different videos, so that old folders are replaced.
_VERSION = 3


class MovingShapes(NamedTuple):
    """Paths and class names of an embedded dataset.

    Attributes:
        train_list: annotation file of the videos to train on; paths are relative to `root`.
        val_list: annotation file of the videos to evaluate on.
        class_names: class names, ordered by label.
    """

    train_list: Path
    val_list: Path
    class_names: tuple[str, ...]

    @property
    def root(self):
        """The folder that the paths in the lists are relative to."""
        return self.train_list.parent


def make_moving_shapes(
    folder,
    task: Task = "appearance",
    *,
    videos_per_class=40,
    val_videos_per_class=10,
    frames=24,
    size=96,
    seed=0,
):
    """Draw and encode a small dataset of mp4 files, unless `folder` already holds it.

    Each video shows one shape that moves over a background with another, stationary gray
    shape; position, size, speed and brightness vary. Two tasks:

    - `"appearance"`: the class is the colored shape (`red_circle` ...); it moves in any direction.
    - `"order"`: the class is the direction of the motion (`right`, `left`, `down`, `up`). Videos
      of opposite directions come in pairs with the same frames in reverse order, so the frames
      without their order reveal only the axis: half of the videos are misclassified.
      Mirroring changes the class; see `label_map` of `keras_video.data.Flip`.

    The same arguments give the same videos. The folder appears only when it is complete.

    Args:
        folder: where the videos and lists go; a folder created with other arguments is replaced.
        task: what distinguishes the classes.
        videos_per_class: number of training videos per class.
        val_videos_per_class: number of validation videos per class.
        frames: number of frames per video.
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
    plan.check(TASKS)
    folder = Path(folder)
    fill_atomically(folder, dataclasses.asdict(plan), functools.partial(_fill, plan=plan))
    names = tuple(TASKS[task].class_names)
    return MovingShapes(folder / "train.txt", folder / "val.txt", names)


def embedded_dataset(task: Task = "appearance", **arguments):
    """`make_moving_shapes` in the Keras home, created on first use."""
    return make_moving_shapes(home_folder(f"moving_shapes_{task}"), task, **arguments)


def home_folder(name):
    """The folder of this name below this package's folder in the Keras home."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return home / "keras_video" / name


def _fill(folder, plan):
    task = TASKS[plan.task]

    def make_video(path, label, part, number):
        scene, backwards = task.scene(label, (plan.seed, part == "val", number), plan.size)
        images = draw(scene, plan.frames, plan.size)
        # Keyframes only for "order": compression artifacts must not reveal the direction of time.
        group = 1 if plan.task == "order" else 12
        encode(path, images[::-1] if backwards else images, group)

    fill_parts(folder, task.class_names, plan.counts, make_video)


def encode(path, images, group, audio=None):
    """Write an mp4 file with a keyframe every `group` frames, at constant quality.

    Args:
        path: the file.
        images: uint8 `(frames, height, width, 3)`, 25 of them per second.
        group: frames from one keyframe to the next.
        audio: function that adds an audio track to the container it receives, and returns the
            packets of the track.
    """
    codec = "libx264" if _has_encoder("libx264") else "mpeg4"
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream(codec, rate=_RATE)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # One thread, so that the bytes do not depend on the number of cores.
        stream.codec_context.thread_count = 1
        stream.options = {"g": str(group), **_QUALITY[codec]}
        packets = audio(container) if audio else ()
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        container.mux(packets)


def _has_encoder(name):
    try:
        return bool(av.Codec(name, "w"))
    except ValueError:
        return False
