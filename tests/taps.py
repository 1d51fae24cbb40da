"""Compares intermediate outputs of a model with the taps, those of a reference case."""

import math

import keras
import numpy as np

from tests.fixtures import rule


def intermediate(model, clips, layer_names):
    """Outputs of the named layers and of the model, `({name: array}, array)`."""
    outputs = {name: model.get_layer(name).output for name in layer_names}
    probe = keras.Model(model.inputs, {**outputs, "logits": model.output})
    values = {key: keras.ops.convert_to_numpy(value) for key, value in probe(clips).items()}
    return values, values.pop("logits")


def assert_taps_equal(case, values, taps):
    """Compares 64 samples of each tap, within 1e-4 of the largest value.

    Args:
        case: a `tests.reference.Case`.
        values: `{layer: array}`, channels last.
        taps: `{name of the tap, without the prefix "backbone.": layer}`.
    """
    shapes = {tap["name"]: tap["shape"] for tap in case.facts["taps"]}
    for tap, layer in taps.items():
        name = tap if tap in shapes else f"backbone.{tap}"
        value = np.moveaxis(values[layer], -1, 1)
        assert value.size == math.prod(shapes[name]), (tap, value.shape, shapes[name])
        expected = case.arrays[f"tap/{name}"]
        sample = value.reshape(-1)[rule.sample_positions(value.size)]
        worst = np.abs(sample - expected).max()
        assert worst <= 1e-4 * np.abs(expected).max(), (tap, worst)
