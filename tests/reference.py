"""Reference cases: outputs of the PyTorch originals for weights and inputs made by a rule."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_video.weights.dialects.mmaction2 import MMACTION2
from keras_video.weights.name_mapping import variable_keys
from tests.fixtures import rule

FOLDER = Path(__file__).parent / "fixtures" / "reference"


@dataclass(frozen=True)
class Case:
    """The reference of one model: its facts and arrays."""

    facts: dict
    arrays: dict

    @property
    def row_name(self):
        """The config's file name, which `keras_video.zoo.row` accepts."""
        return Path(self.facts["config"]).name

    def weights(self):
        """The checkpoint, `{name: array}` with PyTorch's names and axis order."""
        return rule.reference_weights(self.facts["manifest"], self.facts["weight_seed"])

    def clips(self):
        """The input, channels last, one example per clip that the original network receives."""
        x = rule.reference_input(self.facts["input_shape"], self.facts["input_seed"])
        if x.ndim == 5 and "segments" in self.facts["input_layout"]:
            frames = self.facts["settings"].get("segments", x.shape[1])
            x = x.reshape(-1, frames, *x.shape[2:])
            return np.moveaxis(x, 2, -1)  # (n, t, c, h, w) -> (n, t, h, w, c)
        x = x.reshape(-1, *x.shape[2:])
        return np.moveaxis(x, 1, -1)  # (n, c, ...) -> (n, ..., c)

    @property
    def logits(self):
        """The output of the original's head, `(clips, classes)`."""
        logits = self.arrays["logits"]
        return logits.reshape(-1, self.classes)

    @property
    def classes(self):
        return math.prod(self.arrays["logits"].shape[1:])


def load(name):
    """Loads a case by name."""
    facts = json.loads((FOLDER / f"{name}.json").read_text())
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return Case(facts, dict(arrays))


def names():
    """The names of all cases."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def assert_logits_equal(logits, expected):
    """Compares within 1e-4 of the largest logit, and element-wise with rtol 1e-3, atol 1e-4."""
    logits = keras.ops.convert_to_numpy(logits)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    worst = np.abs(logits - expected).max()
    assert worst <= 1e-4 * max(1, np.abs(expected).max()), worst


def learned(model):
    """Number of trainable parameters."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def mmaction2_keys(name):
    """The variables, as `layer/variable`, that an MMAction2 checkpoint name can map to."""
    (translated,) = MMACTION2.translate({name: np.zeros(1)})
    return variable_keys(translated)
