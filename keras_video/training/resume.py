"""Exact resume: a killed training continues as if it had not been interrupted."""

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
    """The content of a backup's record.

    Attributes:
        epoch: number of completed epochs; 0 before the first is backed up.
        weights: name of the weights file next to the record; None in epoch 0.
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
    """The two callbacks that save a training after every epoch and resume it.

    The backup contains weights, optimizer, iterations, the state of every seed generator (dropout),
    the epoch and the best value of ``best``. An epoch is complete once its record is written; if
    the process is killed before that, the epoch is repeated. With data whose order depends only
    on the epoch (``EpochSeed``), the final weights are those of an uninterrupted run.
    The data must be one pass per epoch (no ``repeat``). State of early stopping is not saved.

    Args:
        folder: folder of the backup; it is kept at the end, so that a finished training is
            not repeated.
        best: a ``keras.callbacks.ModelCheckpoint`` whose best value is restored, or None.
        restore_from: folder to restore the backup from, if not ``folder``.

    Returns:
        ``(restore, backup)``: to be the first and the last callback of ``fit``.
    """
    return Restore(restore_from or folder, best), Backup(folder, best)


class Restore(keras.callbacks.Callback):
    """Resumes the training saved by ``Backup``, if there is one. The first of the callbacks."""

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
            self._resume(state)
        # Keras' BackupAndRestore uses the same attribute to set the first epoch of `fit`.
        self.model._initial_epoch = state.epoch
        _report_start(state.epoch, epochs, self.folder)

    def _check_length(self, epoch, epochs):
        if epochs is not None and epoch > epochs:
            raise ValueError(
                f"The backup in {self.folder} is from after epoch {epoch}, this training ends "
                f"after epoch {epochs}: expected at least {epoch} epochs, or another folder."
            )

    def _resume(self, state):
        seeds = _seed_states(self.model)
        if len(seeds) != len(state.seeds):
            raise self._mismatch(
                f"{STATE} has the state of {len(state.seeds)} seed generators, the model has "
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
            raise self._mismatch(f"{weights.name} contains other variables") from error

    def _mismatch(self, reason):
        return ValueError(
            f"The backup in {self.folder} does not match this model: {reason}. Train in another "
            "folder, or remove this run first (keras-video: --noresume)."
        )


class Backup(keras.callbacks.Callback):
    """Saves the training at the end of every epoch for ``Restore``. The last of the callbacks."""

    def __init__(self, folder, best=None):
        super().__init__()
        self.folder = Path(folder)
        self.best = best

    def on_epoch_end(self, epoch, logs=None):
        if diverged(logs):
            logging.warning("The loss is not finite: epoch %d is not backed up", epoch + 1)
            return
        if not (self.folder / STATE).exists():
            # From now on weights without a record mean damage, not an interrupted first epoch.
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
        # This completes the epoch: the record always names a complete weights file.
        write_state(self.folder, state)
        for other in self.folder.glob("epoch_*.weights.h5"):
            if other != weights:
                other.unlink()
        atomic.remove_parts(self.folder)


def backed_up_epoch(folder):
    """Number of completed epochs of the training backed up in a folder; 0 if there is none.

    Raises:
        ValueError: if the backup is damaged.
    """
    state = read_state(Path(folder))
    return 0 if state is None else state.epoch


def diverged(logs):
    """Whether the loss of an epoch is not a finite number."""
    return not math.isfinite((logs or {}).get("loss", 0.0))


def _report_start(epoch, epochs, folder):
    """Reports the epoch at which training continues."""
    of = "" if epochs is None else f" of {epochs}"
    if epoch == 0:
        message = f"Starting with epoch 1{of}: the run in {folder} had completed none"
    elif epoch == epochs:
        message = f"Finished, {epoch}{of} epochs: the backup in {folder} is from after the last"
    else:
        message = f"Resuming with epoch {epoch + 1}{of}, from the backup in {folder}"
    print(message, flush=True)
    logging.info(message)


def _seed_states(model):
    """Variables that Keras omits from weight files: the states of seed generators."""
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
    """The record of the backup in `folder`; None if there is neither record nor weights.

    Raises:
        ValueError: naming the damaged or missing file.
    """
    path = folder / STATE
    if not path.exists():
        weights = sorted(folder.glob("epoch_*.weights.h5"))
        if weights:
            raise _damaged(path, f"is missing, although {weights[0].name} exists")
        return None
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(path, f"cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, f"contains {_short(content)}, expected an object")
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
        raise _damaged(path, f"has epoch={_short(epoch)}, expected an integer of 0 or more")
    weights = f"epoch_{epoch}.weights.h5" if epoch else None
    if content["weights"] != weights:
        received = _short(content["weights"])
        raise _damaged(path, f"has weights={received} for epoch={epoch}, expected {weights!r}")
    best = content["best"]
    if best is not None and not (isinstance(best, float) and math.isfinite(best)):
        raise _damaged(path, f"has best={_short(best)}, expected a finite number or null")
    if not isinstance(content["seeds"], list):
        raise _damaged(path, f"has seeds={_short(content['seeds'])}, expected a list")
    values = {name: content[name] for name in fields}
    if content["checksum"] != _checksum(values):
        raise _damaged(path, "does not match its own checksum")
    return BackupState(**{**values, "seeds": tuple(values["seeds"])})


def _check_weights(folder, state):
    if state.weights is None:
        return
    path = folder / state.weights
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error})") from error
    if digest != state.sha256:
        raise _damaged(path, f"is damaged: its checksum differs from the one in {STATE}")


def _checksum(content):
    return checksum_of(json.dumps(content, sort_keys=True).encode())


def _damaged(path, what):
    return ValueError(
        f"The backup {path} {what}. Restore the file from a copy, or train from the start: in "
        "another folder, or after removing this run (keras-video: --noresume)."
    )


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
