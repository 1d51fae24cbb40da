"""Per-epoch records of a training: the log, and the best model."""

import csv
import io
import math
from pathlib import Path

import keras

from keras_video import atomic
from keras_video.training.resume import diverged
from keras_video.training.saving import save_model


class EpochLog(keras.callbacks.Callback):
    """Writes the logs of every epoch to a CSV file, counting epochs from 1.

    Unlike ``keras.callbacks.CSVLogger`` it accepts columns that appear late (an evaluation every
    few epochs), never leaves a partial line, and drops the rows of epochs that are repeated.

    Args:
        path: the file; an existing one is continued.
        resumed: whether a backup determines where training continues. The file is then at most
            one epoch ahead of it; one that is further ahead belongs to a lost backup.

    Raises:
        ValueError: when the first epoch begins, if the file is damaged or ahead of the backup.
    """

    def __init__(self, path, resumed=False):
        super().__init__()
        self.path = Path(path)
        self.resumed = resumed
        self._rows = None

    def on_train_begin(self, logs=None):
        self._rows = None

    def on_epoch_begin(self, epoch, logs=None):
        if self._rows is None:
            rows = _read(self.path, whole=True) if self.path.exists() else []
            if self.resumed:
                self._check_backup(rows, epoch)
            self._rows = [row for row in rows if float(row["epoch"]) <= epoch]

    def _check_backup(self, rows, epoch):
        last = max((float(row["epoch"]) for row in rows), default=0)
        if last > epoch + 1:
            raise ValueError(
                f"{self.path} continues to epoch {last:g}, but the backup next to it ends after "
                f"epoch {epoch}: expected a backup of epoch {last - 1:g} or later. Restore it from "
                "a copy, or train from the start: in another folder, or after removing this run "
                "(on the command line: --noresume)."
            )

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append({"epoch": epoch + 1, **values})
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        atomic.write_text(self.path, text.getvalue())


def read_log(path):
    """Reads the file of ``EpochLog``.

    Args:
        path: the CSV file.

    Returns:
        Columns by name as lists of floats (like ``History.history``, with "epoch"); NaN where an
        epoch has no value.

    Raises:
        ValueError: naming the malformed line.
    """
    rows = _read(Path(path))
    names = rows[0].keys() if rows else ()
    return {name: [float(row[name] or "nan") for row in rows] for name in names}


def _read(path, whole=False):
    """The validated rows of a log; `whole` rejects a last line without a line break."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if whole and not text.endswith("\n"):
            raise ValueError("the last line is incomplete")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = reader.fieldnames or []
        if "epoch" not in names or len(set(names)) < len(names):
            raise ValueError(f"line 1: expected distinct columns with 'epoch', received {names}")
        rows, last = [], -1
        for row in reader:
            last = _checked_epoch(row, last, reader.line_num)
            rows.append(row)
    except (OSError, csv.Error, ValueError) as error:
        raise ValueError(
            f"The log {path} is damaged: {error}. Correct it, or remove it to continue without the "
            "rows of earlier epochs."
        ) from error
    return rows


def _checked_epoch(row, last, line):
    """The epoch of a row; every column must hold a number or be empty."""
    if None in row or None in row.values():
        raise ValueError(f"line {line}: the number of columns differs from line 1")
    for name, value in row.items():
        try:
            number = float(value or "nan")
        except ValueError:
            raise ValueError(f"line {line}: {name}={value[:40]!r} is not a number") from None
        if name == "epoch" and not (number > last and number.is_integer()):
            raise ValueError(f"line {line}: epoch={value[:40]!r} is not an integer above {last:g}")
    return float(row["epoch"])


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the model whenever the monitored value reaches a new best.

    An epoch without that value, or with a value or loss that is not finite, leaves the file
    unchanged. The file is replaced atomically, so that a full disk or a kill leaves the previous
    best.

    Args:
        path: a ``.keras`` file.
        monitor: name in the logs.
        mode: "max" or "min".
    """

    def __init__(self, path, monitor, mode="max"):
        super().__init__()
        if mode not in ("max", "min"):
            raise ValueError(f"BestCheckpoint: received mode={mode!r}, expected 'max' or 'min'")
        self.filepath = str(path)
        self.monitor = monitor
        self.mode = mode
        self.best = None

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor)
        if value is None or not math.isfinite(value) or diverged(logs):
            return
        if self.best is None or (value > self.best if self.mode == "max" else value < self.best):
            save_model(self.model, self.filepath)
            self.best = float(value)
