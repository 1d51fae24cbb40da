"""Early stopping of a training that no longer improves."""

import math
from pathlib import Path

import keras
from absl import logging

from keras_video.training.records import read_log


class StopWithoutProgress(keras.callbacks.Callback):
    """Stops training when a value has not improved for a given number of epochs.

    Unlike ``keras.callbacks.EarlyStopping`` it ignores epochs without the value (an evaluation
    every few epochs), and a resumed training continues the count: earlier values are read from
    the log of ``EpochLog``.

    Args:
        monitor: name in the logs, such as "val_top1".
        patience: epochs without improvement after which training stops.
        mode: "max" or "min", whichever is better.
        log: the CSV file of ``EpochLog``, or None.

    Attributes:
        best: the best value, or None.
        best_epoch: its epoch, counted from 1.
        stopped_epoch: the epoch after which training stopped, or None.
    """

    def __init__(self, monitor, patience, mode="max", log=None):
        super().__init__()
        if patience < 1:
            raise ValueError(f"StopWithoutProgress: patience={patience}: expected at least 1 epoch")
        if mode not in ("max", "min"):
            raise ValueError(f"StopWithoutProgress: mode={mode!r}: expected 'max' or 'min'")
        self.monitor, self.patience, self.mode = monitor, patience, mode
        self.log = None if log is None else Path(log)
        self._reset()

    def _reset(self):
        self.best = self.stopped_epoch = None
        self.best_epoch = 0

    def on_train_begin(self, logs=None):
        self._reset()
        done = getattr(self.model, "_initial_epoch", None) or 0  # set by `Restore`
        if not done or self.log is None or not self.log.exists():
            return
        columns = read_log(self.log)
        values = columns.get(self.monitor, [])
        for epoch, value in zip(columns["epoch"], values, strict=False):
            if epoch <= done and self._should_stop(int(epoch), value):
                # Nothing is left to train: `fit` starts at its last epoch.
                self.model._initial_epoch = (self.params or {}).get("epochs", done)
                return

    def on_epoch_end(self, epoch, logs=None):
        if self._should_stop(epoch + 1, (logs or {}).get(self.monitor)):
            self.model.stop_training = True
            message = (
                f"Stopped after epoch {epoch + 1}: {self.monitor} has not improved on "
                f"{self.best:.4f} of epoch {self.best_epoch} for {self.patience} epochs."
            )
            print(message, flush=True)
            logging.info(message)

    def _should_stop(self, epoch, value):
        """Records the value of an epoch; whether training stops there."""
        if value is None or not math.isfinite(value):
            return False
        if self.best is None or (value > self.best if self.mode == "max" else value < self.best):
            self.best, self.best_epoch = float(value), epoch
            return False
        if epoch - self.best_epoch < self.patience:
            return False
        self.stopped_epoch = epoch
        return True
