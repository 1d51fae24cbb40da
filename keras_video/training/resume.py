"""Exact resume: a training that was killed goes on as if it had not been."""

import contextlib
import math
from pathlib import Path

import keras
from absl import logging

from keras_video import atomic
from keras_video.training.backup_state import (
    STATE,
    BackupState,
    checksum_of,
    read_state,
    write_state,
)
from keras_video.training.saving import save_weights
from keras_video.weights.keras_files import load_weights


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
        state = read_state(self.folder)
        if state is None:
            return
        epochs = (self.params or {}).get("epochs")
        self._check_length(state.epoch, epochs)
        if state.epoch:
            self._take_up(state)
        # The attribute by which Keras's own BackupAndRestore tells fit where to start.
        self.model._initial_epoch = state.epoch
        _tell(state.epoch, epochs, self.folder)

    def _check_length(self, epoch, epochs):
        if epochs is not None and epoch > epochs:
            raise ValueError(
                f"The backup in {self.folder} was made after epoch {epoch}, this training ends "
                f"after epoch {epochs}: expected at least {epoch} epochs, or another folder."
            )

    def _take_up(self, state):
        seeds = _seed_states(self.model)
        if len(seeds) != len(state.seeds):
            raise self._unfit(
                f"{STATE} has the states of {len(state.seeds)} seed generators, the model has "
                f"{len(seeds)}"
            )
        self._load(self.folder / state.weights)
        for variable, value in zip(seeds, state.seeds, strict=True):
            variable.assign(value)
        if self.best is not None:
            self.best.best = state.best

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
            raise self._unfit(f"{weights.name} holds other variables") from error

    def _unfit(self, why):
        return ValueError(
            f"The backup in {self.folder} does not fit this model: {why}. Train in another folder, "
            "or remove this run first (keras-video: --noresume)."
        )


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
        if not (self.folder / STATE).exists():
            # From here on weights without a record are a damage, not a first epoch cut short.
            write_state(self.folder, BackupState())
        weights = self.folder / f"epoch_{epoch + 1}.weights.h5"
        content = save_weights(self.model, weights)
        best = None if self.best is None else self.best.best
        state = BackupState(
            epoch=epoch + 1,
            weights=weights.name,
            sha256=checksum_of(content),
            seeds=tuple(keras.ops.convert_to_numpy(v).tolist() for v in _seed_states(self.model)),
            best=None if best is None else float(best),
        )
        # The epoch counts from here on: the record names a complete file, or the one before.
        write_state(self.folder, state)
        for other in self.folder.glob("epoch_*.weights.h5"):
            if other != weights:
                other.unlink()
        atomic.remove_parts(self.folder)


def backed_up_epoch(folder):
    """Epochs that the training saved in a folder has behind it; 0 where there is none.

    Raises:
        ValueError: if the backup is damaged.
    """
    state = read_state(Path(folder))
    return 0 if state is None else state.epoch


def diverged(logs):
    """Whether the loss of an epoch is not a finite number."""
    return not math.isfinite((logs or {}).get("loss", 0.0))


def _tell(epoch, epochs, folder):
    """Says from where a training goes on."""
    of = "" if epochs is None else f" of {epochs}"
    if epoch == 0:
        message = f"Starts with epoch 1{of}: the run in {folder} had completed none"
    elif epoch == epochs:
        message = f"Finished, {epoch}{of} epochs: the backup in {folder} is after the last"
    else:
        message = f"Resumed: goes on with epoch {epoch + 1}{of}, after the backup in {folder}"
    print(message, flush=True)
    logging.info(message)


def _seed_states(model):
    """Variables that Keras leaves out of weight files: the states of seed generators."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _scope(model):
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy is not None else contextlib.nullcontext()
