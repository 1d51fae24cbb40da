"""Exact resume: a training that was killed goes on as if it had not been."""

import contextlib
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
from absl import logging

from keras_video import atomic
from keras_video.training.saving import save_weights
from keras_video.weights.keras_files import load_weights

STATE = "state.json"


@dataclass(frozen=True)
class BackupState:
    """What the record of a backup says.

    Attributes:
        epoch: epochs that are behind the training; 0 before the first is backed up.
        weights: name of the file of weights beside the record; None in epoch 0.
        sha256: checksum of that file; None in epoch 0.
        seeds: states of the seed generators.
        best: best value of the monitored figure so far, or None.
    """

    epoch: int = 0
    weights: str | None = None
    sha256: str | None = None
    seeds: tuple = ()
    best: float | None = None


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


def write_state(folder, state):
    """Writes the record of the backup in `folder` atomically."""
    content = asdict(state)
    text = json.dumps({**content, "checksum": _checksum(content)})
    atomic.write_text(folder / STATE, text)


def read_state(folder):
    """The record of the backup in `folder`; None where there is neither record nor weights.

    Raises:
        ValueError: naming the file that is damaged or missing.
    """
    path = folder / STATE
    if not path.exists():
        left = sorted(folder.glob("epoch_*.weights.h5"))
        if left:
            raise _damaged(path, f"is missing, though {left[0].name} is there")
        return None
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(path, f"cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, f"holds {_short(content)}, expected an object")
    state = _checked(path, content)
    _check_weights(folder, state)
    return state


def checksum_of(content):
    """The SHA-256 checksum of bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _checked(path, content):
    fields = BackupState.__dataclass_fields__
    missing = [name for name in (*fields, "checksum") if name not in content]
    if missing:
        raise _damaged(path, f"has no {', '.join(missing)}")
    epoch = content["epoch"]
    if type(epoch) is not int or epoch < 0:
        raise _damaged(path, f"has epoch={_short(epoch)}, expected an integer from 0 on")
    weights = f"epoch_{epoch}.weights.h5" if epoch else None
    if content["weights"] != weights:
        found = _short(content["weights"])
        raise _damaged(path, f"has weights={found} for epoch={epoch}, expected {weights!r}")
    best = content["best"]
    if best is not None and not (isinstance(best, float) and math.isfinite(best)):
        raise _damaged(path, f"has best={_short(best)}, expected a finite number or null")
    if not isinstance(content["seeds"], list):
        raise _damaged(path, f"has seeds={_short(content['seeds'])}, expected a list")
    values = {name: content[name] for name in fields}
    if content["checksum"] != _checksum(values):
        raise _damaged(path, "does not agree with its own checksum")
    return BackupState(**{**values, "seeds": tuple(values["seeds"])})


def _check_weights(folder, state):
    if state.weights is None:
        return
    path = folder / state.weights
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error})") from error
    if found != state.sha256:
        raise _damaged(path, f"is damaged: its checksum is not the one in {STATE}")


def _checksum(content):
    return checksum_of(json.dumps(content, sort_keys=True).encode())


def _damaged(path, what):
    return ValueError(
        f"The backup {path} {what}. Put the file back from a copy, or train from the start: in "
        "another folder, or after removing this run (keras-video: --noresume)."
    )


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
