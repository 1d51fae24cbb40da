"""Compares intermediate outputs of a model with those of a reference case."""

import math

import keras
import numpy as np

from tests.fixtures import rule


def intermediate_outputs(model, clips, layer_names):
    """Outputs of the named layers and of the model, `({name: array}, array)`."""
    outputs = {name: model.get_layer(name).output for name in layer_names}
    probe = keras.Model(model.inputs, {**outputs, "logits": model.output})
    values = {key: keras.ops.convert_to_numpy(value) for key, value in probe(clips).items()}
    return values, values.pop("logits")


def assert_layer_outputs_equal(case, values, layers):
    """Compares 64 samples per layer, within 1e-4 of the largest value.

    Args:
        case: a `tests.reference.Case`.
        values: `{layer: array}`, channels last.
        layers: `{name of an intermediate output of the case, without "backbone.": layer}`.
    """
    shapes = {output["name"]: output["shape"] for output in case.facts["taps"]}
    for key, layer in layers.items():
        name = key if key in shapes else f"backbone.{key}"
        value = np.moveaxis(values[layer], -1, 1)
        assert value.size == math.prod(shapes[name]), (key, value.shape, shapes[name])
        expected = case.arrays[f"tap/{name}"]
        sample = value.reshape(-1)[rule.sample_positions(value.size)]
        worst = np.abs(sample - expected).max()
        assert worst <= 1e-4 * np.abs(expected).max(), (key, worst)
