"""Exact resume: a training that was killed goes on as if it had not been."""

import contextlib
import json
import math
from pathlib import Path

import keras
from absl import logging

from keras_video.weights.keras_files import load_weights

_STATE = "state.json"


def resume_callbacks(folder, best=None, restore_from=None):
    """The two callbacks that save a training after every epoch and take it up again.

    What is saved: weights, optimizer, iterations, the state of every seed generator (dropout),
    the epoch and the best value of ``best``. An epoch counts when its record is written; a
    process killed at any other moment starts that epoch again. With data whose order depends
    on the epoch alone (``EpochSeed``), the weights at the end are those of an unbroken run.
    The data must be one pass per epoch (no ``repeat``). Early stopping keeps no state here.

    Args:
        folder: where the backup lies; it stays after the end, so that a finished training is
            not run again.
        best: a ``keras.callbacks.ModelCheckpoint`` whose best value is to survive, or None.
        restore_from: where the backup is looked for, if not in ``folder``.

    Returns:
        ``(restore, backup)``: the first callback and the last callback of ``fit``.
    """
    return Restore(restore_from or folder, best), Backup(folder, best)


class Restore(keras.callbacks.Callback):
    """Takes up the training saved by ``Backup``, if there is one. First of the callbacks."""

    def __init__(self, folder, best=None):
        super().__init__()
        self.folder = Path(folder)
        self.best = best

    def on_train_begin(self, logs=None):
        state = _backed_up(self.folder)
        if state is None:
            return
        self._load(self.folder / state["weights"])
        for variable, value in zip(_seed_states(self.model), state["seeds"], strict=True):
            variable.assign(value)
        if self.best is not None:
            self.best.best = state["best"]
        # The attribute by which Keras's own BackupAndRestore tells fit where to start.
        self.model._initial_epoch = state["epoch"]
        logging.info("Resumed after epoch %d from %s", state["epoch"], self.folder)

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None

    def _load(self, weights):
        optimizer = self.model.optimizer
        if not optimizer.built:
            with _scope(self.model):
                optimizer.build(self.model.trainable_variables)
        try:
            load_weights(self.model, weights)
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(
                f"The backup {weights} does not fit this model. Take another work folder, or "
                f"remove {self.folder} to start anew."
            ) from error


class Backup(keras.callbacks.Callback):
    """Saves the training at the end of every epoch for ``Restore``. Last of the callbacks."""

    def __init__(self, folder, best=None):
        super().__init__()
        self.folder = Path(folder)
        self.best = best

    def on_epoch_end(self, epoch, logs=None):
        if diverged(logs):
            logging.warning("The loss is not finite: epoch %d is not backed up", epoch + 1)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = self.folder / f"epoch_{epoch + 1}.weights.h5"
        self.model.save_weights(weights, overwrite=True)
        best = None if self.best is None else self.best.best
        state = {
            "epoch": epoch + 1,
            "weights": weights.name,
            "seeds": [keras.ops.convert_to_numpy(v).tolist() for v in _seed_states(self.model)],
            "best": None if best is None else float(best),
        }
        # The epoch counts from here on: the record names a complete file, or the one before.
        replace_text(self.folder / _STATE, json.dumps(state))
        for other in self.folder.glob("epoch_*.weights.h5"):
            if other != weights:
                other.unlink()


def backed_up_epoch(folder):
    """Epochs that the training saved in a folder has behind it; 0 where there is none."""
    state = _backed_up(Path(folder))
    return 0 if state is None else state["epoch"]


def _backed_up(folder):
    record = folder / _STATE
    return json.loads(record.read_text()) if record.is_file() else None


def diverged(logs):
    """Whether the loss of an epoch is not a finite number."""
    return not math.isfinite((logs or {}).get("loss", 0.0))


def replace_text(path, text):
    """Writes a text file that is never seen half written."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _seed_states(model):
    """Variables that Keras leaves out of weight files: the states of seed generators."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _scope(model):
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy is not None else contextlib.nullcontext()
