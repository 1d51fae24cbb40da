"""The record of a backup: what it says, and whether what it names is whole."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass

from keras_video import atomic

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
