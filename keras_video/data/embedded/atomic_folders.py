"""Folders of generated data that appear atomically: complete or not at all."""

import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

from absl import logging

from ..sampling import check_whole

_COMPLETE = "complete.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The parameters of a synthetic dataset; data generated from another plan is replaced."""

    task: str
    videos_per_class: int
    val_videos_per_class: int
    frames: int
    size: int
    seed: int
    version: int

    def check(self, tasks):
        """Raises a ValueError for a task that is not in `tasks`, or a value out of range."""
        if self.task not in tasks:
            raise ValueError(f"received task={self.task!r}, expected one of {sorted(tasks)}")
        check_whole("seed", self.seed, 0)
        check_whole("size", self.size, 1)
        if self.size < 32 or self.size % 2:
            raise ValueError(f"received size={self.size}, expected an even number from 32 on")
        for name in ("videos_per_class", "val_videos_per_class", "frames"):
            check_whole(name, getattr(self, name), 1)

    @property
    def counts(self):
        """Number of videos per class, by split."""
        return {"train": self.videos_per_class, "val": self.val_videos_per_class}


def fill_atomically(folder, facts, fill):
    """Fills a folder, unless it already holds data of the same facts.

    The folder appears only when it is complete; a folder filled from other facts is replaced.

    Args:
        folder: where the data goes.
        facts: JSON values that identify the data.
        fill: function that receives an empty folder and fills it.

    Raises:
        FileExistsError: `folder` holds files that were not written by this function.
    """
    folder = Path(folder)
    if _holds(folder, facts):
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / _COMPLETE).exists():
        raise FileExistsError(f"{folder} holds other files: name an empty or a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    logging.info("Creating %s", folder)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}_", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        fill(temporary)
        (temporary / _COMPLETE).write_text(json.dumps(facts))
        _put_in_place(temporary, folder, facts)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fill_parts(folder, class_names, counts, make_video):
    """Fills a folder with videos, one folder per split and class, and the lists of the splits.

    Args:
        folder: an empty folder; its lists are `train.txt` and so on, lines `path label`.
        class_names: names of the classes, in the order of their labels.
        counts: number of videos per class, by split: `{"train": 40, "val": 10}`.
        make_video: function of `(path, label, part, number)` that writes a video.
    """
    for part, count in counts.items():
        lines = []
        for label, name in enumerate(class_names):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                path = f"{part}/{name}/{number:04d}.mp4"
                make_video(folder / path, label, part, number)
                lines.append(f"{path} {label}\n")
        (folder / f"{part}.txt").write_text("".join(lines))


def _holds(folder, facts):
    try:
        return json.loads((folder / _COMPLETE).read_text()) == facts
    except (OSError, ValueError):
        return False


def _put_in_place(temporary, folder, facts):
    old = temporary.with_name(temporary.name + "_old")
    try:
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    except OSError:
        # Another process may have created the same data in the meantime.
        if not _holds(folder, facts):
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
