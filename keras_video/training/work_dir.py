"""The folder of a run, and the output of `fit`."""

import contextlib
import dataclasses
import errno
import json
import os

from absl import logging

from keras_video import atomic, zoo
from keras_video.progress import is_watched
from keras_video.training.lock import LOCK, OWNER, FolderLock
from keras_video.training.results import METRICS
from keras_video.training.resume import backed_up_epoch

SETTINGS = "settings.json"
# Files that a run writes in addition to its settings, as patterns of `Path.glob`.
_WRITTEN = (
    "log.csv",
    "best.keras",
    "model.keras",
    "encoder.keras",
    "metrics.json",
    "classes.csv",
    "confusion.csv",
    "confusion.png",
    "curve.png",
    "model.onnx",
    "model.tflite",
    "saved_model/saved_model.pb",
    "saved_model/fingerprint.pb",
    "saved_model/variables/variables.*",
    "saved_model/assets.extra/keras_video.json",
    "backup/state.json",
    "backup/epoch_*.weights.h5",
)
# Files of a run that overwrite nothing, and may exist in a folder where a run begins.
_HARMLESS = (
    "train.*.log.*.*",
    "train.INFO",
    "train.WARNING",
    "train.ERROR",
    "train.FATAL",
    "tensorboard/*/events.out.tfevents.*",
    "lr_find.csv",
    "lr_find.png",
    ".part-*",
    "backup/.part-*",
)
_FOLDERS = ("backup", "tensorboard/train", "tensorboard/validation", "tensorboard")
_FOLDERS += ("saved_model/variables", "saved_model/assets", "saved_model/assets.extra")
_FOLDERS += ("saved_model",)
# Settings that may change when a run is resumed: they do not affect how the weights were trained,
# or apply to the earlier training as well.
_CHANGEABLE = {"resume", "work_dir", "dry_run", "lr_find", "export", "validate", "eval_batch_size"}
_CHANGEABLE |= {"on_error", "early_stopping"}
_PATHS = {"data", "train_list", "val_list", "data_root", "class_names"}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def open_work_dir(work_dir, resume=True):
    """Locks the folder of a run for this process, creates it if missing, and logs to it.

    Nothing in it is changed: `begin_run` does that once everything that a run needs is available.

    Args:
        work_dir: the folder.
        resume: whether the run in it is resumed; otherwise it is to be removed.

    Returns:
        The `FolderLock`.

    Raises:
        ValueError: naming the folder, if a run may not write there or remove its content.
        FolderInUseError: if another process trains in it.
    """
    _check_folder(work_dir, resume)
    work_dir.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(work_dir)
    logging.get_absl_handler().use_absl_log_file("train", str(work_dir))
    logging.set_stderrthreshold("info")
    return lock


def check_settings(work_dir, settings, row_epochs):
    """Rejects resuming a run with settings other than those it was started with.

    A run without a completed epoch starts over in any case. A resumed run may have
    more epochs than before.

    Args:
        work_dir: the folder of the run.
        settings: the `RunSettings`.
        row_epochs: number of epochs of the row's training, used if the settings have none.

    Raises:
        ValueError: naming the settings that differ, with both values.
    """
    before = read_settings(work_dir)
    if not settings.resume or not before or not backed_up_epoch(work_dir / "backup"):
        return
    changed = []
    for field in dataclasses.fields(settings):
        name = field.name
        old, new = before.get(name, field.default), getattr(settings, name)
        if name == "epochs" and (new or row_epochs) >= (old or row_epochs):
            continue
        if name not in _CHANGEABLE and _comparable(name, old) != _comparable(name, new):
            changed.append(f"{name} {_formatted(old)} -> {_formatted(new)}")
    if changed:
        raise ValueError(
            f"The run in {work_dir} was started with other settings: {', '.join(changed)}: "
            "use --noresume or another --work_dir. Nothing was changed."
        )


def _comparable(name, value):
    if isinstance(value, list | tuple):
        return tuple(value)
    if name == "row":
        # Given by its id or its name.
        return zoo.row(value).id if value in zoo.catalog.names() else value
    return os.path.realpath(value) if value and name in _PATHS else value


def _formatted(value):
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def begin_run(work_dir, settings):
    """Starts or resumes a run: writes `settings.json`, which marks the folder as a run's.

    Args:
        work_dir: the folder, locked by `open_work_dir`.
        settings: the `RunSettings`. Without `resume`, files of an earlier run are removed; other
            files are kept.
    """
    if not settings.resume:
        _check_folder(work_dir, settings.resume)
        remove_run(work_dir)
    atomic.remove_parts(work_dir)
    settings.save(work_dir / SETTINGS)


def remove_run(work_dir):
    """Removes the files that a run wrote, and folders that are then empty; keeps other files."""
    current = logging.get_log_file_name()
    for pattern in (*_WRITTEN, *_HARMLESS, SETTINGS):  # the marker is removed last
        for path in _matches(work_dir, pattern):
            if path.is_symlink() and path.name.startswith("train.") and path.exists():
                continue  # points to the log of this process
            if (path.is_file() or path.is_symlink()) and str(path) != current:
                path.unlink()
    for name in _FOLDERS:
        with contextlib.suppress(OSError):  # missing, a link, or not empty
            (work_dir / name).rmdir()


def _matches(work_dir, pattern):
    # `glob` omits broken links unless the pattern has a wildcard.
    return list(work_dir.glob(pattern)) if "*" in pattern else [work_dir / pattern]


def _check_folder(work_dir, resume):
    if work_dir.exists() and not work_dir.is_dir():
        raise ValueError(f"work_dir={work_dir} is not a folder.")
    if not work_dir.exists() or _is_run(work_dir):
        return
    ours = {path for pattern in (LOCK, OWNER, *_HARMLESS) for path in work_dir.glob(pattern)}
    others = sorted(path for path in work_dir.iterdir() if path not in ours)
    if not resume and others:
        raise ValueError(
            f"resume=False would remove the run in work_dir={work_dir}. It contains "
            f"{others[0].name}, but no {SETTINGS} of a run: nothing is removed. Use a new or "
            "empty folder."
        )
    names = [path for pattern in (*_WRITTEN, SETTINGS) for path in work_dir.glob(pattern)]
    if names:
        raise ValueError(
            f"work_dir={work_dir} contains {names[0].relative_to(work_dir)}, which a run would "
            f"overwrite, but no {SETTINGS} of a run. Use a new or empty folder."
        )


def _is_run(work_dir):
    """Whether the folder contains the settings of a run."""
    return bool(read_settings(work_dir))


def read_settings(work_dir):
    """The settings of the run in a folder, as JSON values; `None` if there is no run."""
    try:
        settings = json.loads((work_dir / SETTINGS).read_bytes())
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) and "row" in settings else None


def is_finished(run):
    """Whether the run in the folder is finished, according to its own settings.

    False with several processes: each runs to the end, as the others may depend on it.
    """
    settings = run.settings
    if settings.dry_run or settings.lr_find or not settings.resume or run.worker.count > 1:
        return False
    try:
        report = json.loads((run.work_dir / METRICS).read_bytes())
    except (OSError, ValueError):
        return False
    done = backed_up_epoch(run.home / "backup")
    if not (run.work_dir / "model.keras").is_file() or report.get("epochs") != done:
        return False
    before = read_settings(run.work_dir) or {}
    same = before.get("early_stopping") == settings.early_stopping
    return done == run.epochs or (report.get("stopped_early", False) and same)


@contextlib.contextmanager
def closing_run(work_dir, lock=None):
    """Context of a run until its end: reports a full disk in one line, and releases the folder.

    Raises:
        OSError: if a file could not be written, saying what that means for the run.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OSError(
                f"The run in {work_dir} stops, a file could not be written: {error}. Everything "
                "saved before is intact; free disk space and repeat the command to resume."
            ) from error
        raise
    finally:
        if lock is not None:
            lock.release()


def verbosity():
    """Verbosity of `fit`: a progress bar in a terminal, a line per epoch in a file."""
    return 1 if is_watched() else 2
