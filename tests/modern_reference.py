"""Reference cases of other projects' networks, under the names of their published files.

`tests/fixtures/modern` holds, per case, its facts (`.json`: among them the manifest of tensors
with names, shapes and order of the published file) and what the original network computes for
weights and input made by a rule (`.npz`).
"""

import importlib
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tests import reference, torch_files
from tests.fixtures import rule
from tests.taps import intermediate

FOLDER = Path(__file__).parent / "fixtures" / "modern"

# What a project's files are, where a case does not say.
FILES = {
    "Hugging": {"suffix": ".safetensors", "nest": None},
    "MMAction2": {"suffix": ".pth", "nest": "state_dict"},
    "TensorFlow": {"suffix": "", "nest": None},
}


@dataclass(frozen=True)
class Case:
    """One network's reference: its facts and its arrays."""

    facts: dict
    arrays: dict

    def weights(self):
        """The checkpoint, `{name: array}` in the published file's names and axis order."""
        name = self.facts["rule"].removesuffix(".py")
        made = importlib.import_module(f"tests.fixtures.{name}")
        return made.reference_weights(self.facts["manifest"], self.facts["weight_seed"])

    def clips(self):
        """The input, channels last, `(clips, frames, height, width, channels)`."""
        x = rule.reference_input(self.facts["input_shape"], self.facts["input_seed"])
        axes = re.findall(r"\b[NTCHW]\b", self.facts["input_layout"])[:5]
        return x.transpose([axes.index(axis) for axis in ("N", "T", "H", "W", "C")])

    @property
    def logits(self):
        """What the original returns before any softmax, `(clips, classes)`."""
        return self.arrays["logits"]

    @property
    def classes(self):
        return self.logits.shape[-1]

    def write(self, folder):
        """Writes the checkpoint in the container its project publishes, and gives the path."""
        file = container(self)
        path = Path(folder) / f"{self.facts['name']}{file['suffix']}"
        if file["suffix"] == ".safetensors":
            from safetensors.numpy import save_file

            save_file(self.weights(), path)
        elif file["suffix"] == "":
            save_tensorflow(path, self.weights())
        else:
            torch_files.save_checkpoint(path, self.weights(), nest=file["nest"])
        return path


def container(case):
    """The suffix and the nest of the file that the case's project publishes."""
    return case.facts.get("file") or FILES[case.facts["dialect"].split(" ")[0]]


def suffix(case):
    """Of the file that the case's project publishes."""
    return container(case)["suffix"]


def save_tensorflow(prefix, state):
    """Writes `{name: array}` as a TensorFlow checkpoint, whose files begin with `prefix`."""
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(state),
        shape_and_slices=[""] * len(state),
        tensors=list(state.values()),
    )


def load(name):
    """The case of this name."""
    facts = json.loads((FOLDER / f"{name}.json").read_text())
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return Case(facts, dict(arrays))


def names():
    """The names of all cases."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def checksum(arrays):
    """Of the float32 arrays' bytes, one after the other."""
    total = 0
    for array in arrays:
        total = zlib.crc32(np.ascontiguousarray(array, np.float32).tobytes(), total)
    return total


def assert_equals_the_original(
    name, constructor, folder, taps=None, added_parameters=0, **arguments
):
    """A case's file read back, loaded by `weights=`; parameters, taps and logits compared.

    Args:
        name: of the case.
        constructor: of the family; `arguments` are its own.
        folder: where the file is written.
        taps: `{name of the tap: layer}`, or `None` for none.
        added_parameters: learned parameters that the model has besides the original's.

    Returns:
        The model.
    """
    case = load(name)
    clips = case.clips()
    path = case.write(folder)
    model = constructor(
        weights=path,
        input_shape=clips.shape[1:],
        classes=case.classes,
        classifier_activation=None,
        **arguments,
    )
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    assert reference.learned(model) - added_parameters == case.facts["parameter_count"]
    assert_computes(model, case, clips, taps or {})
    return model


def assert_computes(model, case, clips, taps):
    """Compares taps by their 64 samples, and logits, within 1e-4 of the largest."""
    values, logits = intermediate(model, clips, taps.values())
    known = {tap["name"]: tap for tap in case.facts["taps"]}
    for tap, layer in taps.items():
        value = values[layer]
        channels_last = list(value.shape[-3:]) == known[tap]["shape"][-3:]  # also of folded frames
        if not channels_last:
            value = np.moveaxis(value, -1, 1)
        assert value.size == np.prod(known[tap]["shape"]), (tap, value.shape, known[tap]["shape"])
        expected = case.arrays[f"tap/{tap}"]
        sample = value.reshape(-1)[rule.sample_positions(value.size)]
        worst = np.abs(sample - expected).max()
        assert worst <= 1e-4 * np.abs(expected).max(), (tap, worst)
    reference.assert_logits_equal(keras.ops.convert_to_numpy(logits), case.logits)
