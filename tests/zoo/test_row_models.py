"""Every row's network: it builds, and has the parameters the row states."""

import json
import math
from pathlib import Path

import pytest

from keras_video import applications, zoo

COUNTS = Path(__file__).parents[1] / "fixtures" / "data" / "parameter_counts.json"


def small_shape(row):
    """A clip of the row as small as its architecture allows."""
    if row.modality == "Audio" or row.constructor in ("C3D", "TimeSformer", "AudioResNet"):
        return row.input_shape
    backbone = str(row.arguments.get("backbone"))
    size = 224 if backbone.startswith("swin") else 64
    frames, _, _, channels = row.input_shape
    return (frames, size, size, channels)


def distinct_rows():
    """One row of every body that rows name, in the order of the page."""
    rows = {}
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted")):
        if row.constructor is not None and row.parameters and row.classes:
            arguments = {k: v for k, v in row.arguments.items() if k != "dropout"}
            key = (row.constructor, json.dumps(arguments, default=str), row.input_shape[-1])
            rows.setdefault(key, row)
    return list(rows.values())


ROWS = distinct_rows()


def learned(model):
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def as_published(row, model):
    """Learned parameters; frozen norms are parameters of the original too."""
    frozen = sum(
        math.prod(variable.shape)
        for variable in model.non_trainable_variables
        if variable.path.endswith(("/gamma", "/beta"))
    )
    return learned(model) + frozen


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_network_has_the_parameters_of_its_row(row):
    model = row.model(input_shape=small_shape(row))
    assert as_published(row, model) == row.parameters
    assert model.output_shape[-1] == row.classes


def test_all_constructors_exist():
    for row in zoo.rows():
        if row.constructor is not None:
            assert callable(getattr(applications, row.constructor))


def test_rows_state_what_the_originals_have():
    checked = 0
    for record in json.loads(COUNTS.read_text())["records"]:
        config = Path(record["input"]["config"]).name
        assert zoo.row(config).parameters == record["output"]["parameters"], config
        checked += 1
    assert checked == 93
