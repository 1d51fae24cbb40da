"""Small videos of moving shapes, drawn and encoded on the spot: data to try a training on."""

import dataclasses
import json
import os
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from absl import logging

from .shape_scenes import TASKS, draw

Task = Literal["appearance", "order"]

_RATE = 25
_COMPLETE = "complete.json"
_QUALITY = {"libx264": {"preset": "superfast", "qp": "22"}, "mpeg4": {"qmin": "3", "qmax": "3"}}
# Raised when the same parameters begin to give other videos, so that old folders are made anew.
_VERSION = 3


class MovingShapes(NamedTuple):
    """Where an embedded dataset lies.

    Attributes:
        train_list: annotation file of the videos to train on; paths are relative to `root`.
        val_list: annotation file of the videos to evaluate on.
        class_names: names of the classes, in the order of their labels.
    """

    train_list: Path
    val_list: Path
    class_names: tuple[str, ...]

    @property
    def root(self):
        """The folder that the lists' paths start from."""
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

    Each video shows one shape that moves over a background of its own with another, grey shape
    standing by; place, size, speed and brightness vary. Two tasks:

    - `"appearance"`: the class is the coloured shape (`red_circle` ...); it moves in any direction.
    - `"order"`: the class is the direction of the motion (`right`, `left`, `down`, `up`). Videos
      of opposite directions come in pairs with the same frames in reverse order, so the frames
      without their order tell the axis at most: half of the videos are put in the wrong class.
      Mirroring changes the class; see `label_map` of `keras_video.data.Flip`.

    The same arguments give the same videos. The folder appears only when it is complete.

    Args:
        folder: where the videos and lists go; a folder made with other arguments is replaced.
        task: what tells the classes apart.
        videos_per_class: number of videos to train on, of each class;
        val_videos_per_class: number of videos to evaluate on, of each class.
        frames: frames of one video.
        size: height and width in pixels, an even number of at least 32.
        seed: any non-negative integer.

    Returns:
        A `MovingShapes` tuple `(train_list, val_list, class_names)`.

    Raises:
        ValueError: an argument is out of its range.
        FileExistsError: `folder` holds files that this function did not make.
    """
    plan = _Plan(task, videos_per_class, val_videos_per_class, frames, size, seed)
    folder = Path(folder)
    if not _holds(folder, plan):
        _refuse_foreign(folder)
        _make(folder, plan)
    names = tuple(TASKS[task].class_names)
    return MovingShapes(folder / "train.txt", folder / "val.txt", names)


def embedded_dataset(task: Task = "appearance", **arguments):
    """`make_moving_shapes` in the Keras home, where recipes look for it; made on first use."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    folder = home / "keras_video" / f"moving_shapes_{task}"
    return make_moving_shapes(folder, task, **arguments)


@dataclasses.dataclass(frozen=True)
class _Plan:
    task: str
    videos_per_class: int
    val_videos_per_class: int
    frames: int
    size: int
    seed: int
    version: int = _VERSION

    def __post_init__(self):
        if self.task not in TASKS:
            raise ValueError(f"received task={self.task!r}, expected one of {sorted(TASKS)}")
        if self.size < 32 or self.size % 2:
            raise ValueError(f"received size={self.size}, expected an even number from 32 on")
        for name in ("videos_per_class", "val_videos_per_class", "frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"received {name}={getattr(self, name)}, expected at least 1")


def _holds(folder, plan):
    try:
        return json.loads((folder / _COMPLETE).read_text()) == dataclasses.asdict(plan)
    except (OSError, ValueError):
        return False


def _refuse_foreign(folder):
    if folder.exists() and any(folder.iterdir()) and not (folder / _COMPLETE).exists():
        raise FileExistsError(f"{folder} holds other files: name an empty or a new folder")


def _make(folder, plan):
    """Fill a temporary folder beside `folder`, then put it in place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    logging.info("Drawing the moving shapes dataset %r in %s", plan.task, folder)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}_", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        for part, count in (("train", plan.videos_per_class), ("val", plan.val_videos_per_class)):
            _make_part(temporary, part, count, plan)
        (temporary / _COMPLETE).write_text(json.dumps(dataclasses.asdict(plan)))
        _put_in_place(temporary, folder, plan)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary, folder, plan):
    old = temporary.with_name(temporary.name + "_old")
    try:
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    except OSError:
        # Another process may have put the same dataset there in the meantime.
        if not _holds(folder, plan):
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _make_part(folder, part, count, plan):
    task = TASKS[plan.task]
    lines = []
    for label, name in enumerate(task.class_names):
        (folder / part / name).mkdir(parents=True)
        for number in range(count):
            path = f"{part}/{name}/{number:04d}.mp4"
            scene, backwards = task.scene(label, (plan.seed, part == "val", number), plan.size)
            images = draw(scene, plan.frames, plan.size)
            # Whole pictures only, where frames must not show which of them came first.
            group = 1 if plan.task == "order" else 12
            _encode(folder / path, images[::-1] if backwards else images, group)
            lines.append(f"{path} {label}\n")
    (folder / f"{part}.txt").write_text("".join(lines))


def _encode(path, images, group):
    """Write an mp4 file with a keyframe every `group` frames, at constant quality."""
    codec = "libx264" if _has_encoder("libx264") else "mpeg4"
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream(codec, rate=_RATE)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # One thread: the same bytes whatever the number of cores.
        stream.codec_context.thread_count = 1
        stream.options = {"g": str(group), **_QUALITY[codec]}
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _has_encoder(name):
    try:
        return bool(av.Codec(name, "w"))
    except ValueError:
        return False
