"""What a training writes down per epoch: a table, and the best model."""

import csv
import io
from pathlib import Path

import keras

from keras_video.training.resume import diverged, replace_text


class EpochLog(keras.callbacks.Callback):
    """Writes the logs of every epoch to a CSV file, counting epochs from 1.

    Unlike ``keras.callbacks.CSVLogger`` it takes columns that appear late (an evaluation every
    few epochs), never leaves half a line, and drops the rows of epochs that are run again.

    Args:
        path: the file; an existing one is continued.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)
        self._rows = None

    def on_train_begin(self, logs=None):
        self._rows = None

    def on_epoch_begin(self, epoch, logs=None):
        if self._rows is None:
            rows = _read(self.path) if self.path.is_file() else []
            self._rows = [row for row in rows if int(row["epoch"]) <= epoch]

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append({"epoch": epoch + 1, **values})
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(self.path, text.getvalue())


def read_log(path):
    """Reads the file of ``EpochLog``.

    Args:
        path: the CSV file.

    Returns:
        Columns by name as lists of floats (as ``History.history``, with "epoch"); not a number
        where an epoch has no value.
    """
    rows = _read(Path(path))
    names = rows[0].keys() if rows else ()
    return {name: [float(row[name] or "nan") for row in rows] for name in names}


def _read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class BestCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves the model whenever the monitored value is better than ever before.

    Unlike its parent it leaves the file alone in an epoch without that value or without a
    finite loss.

    Args:
        path: a ``.keras`` file.
        monitor: name in the logs.
        mode: "max" or "min".
    """

    def __init__(self, path, monitor, mode="max"):
        super().__init__(str(path), monitor=monitor, mode=mode, save_best_only=True)

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor)
        if value is not None and value == value and not diverged(logs):
            super().on_epoch_end(epoch, logs)
