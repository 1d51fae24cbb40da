"""What rows state about their networks; `test_row_runs` builds and trains them."""

import json
import math
from pathlib import Path

import pytest

from keras_video import applications, zoo

COUNTS = Path(__file__).parents[1] / "fixtures" / "data" / "parameter_counts.json"


def test_c3d_has_the_parameters_of_its_row():
    """Its dense layers fit the published size only."""
    row = zoo.row("c3d_sports1m_16x1x1_45e_ucf101_rgb")
    variables = row.model().trainable_variables
    assert sum(math.prod(variable.shape) for variable in variables) == row.parameters


FIXED_SIZE = {
    json.dumps(dict(row.arguments), sort_keys=True) + str(row.input_shape): row
    for family in ("mvit", "uniformer_v2")
    for row in zoo.rows(family)
    if row.classes == 400
}


@pytest.mark.slow
@pytest.mark.parametrize("row", FIXED_SIZE.values(), ids=lambda row: row.id)
def test_rows_with_fixed_size_tables_have_their_parameters(row):
    variables = row.model().trainable_variables
    assert sum(math.prod(variable.shape) for variable in variables) == row.parameters


def test_all_constructors_exist():
    for row in zoo.rows():
        if row.constructor is not None:
            assert callable(getattr(applications, row.constructor))


def test_rows_state_the_parameters_of_the_originals():
    checked = 0
    for record in json.loads(COUNTS.read_text())["records"]:
        config = Path(record["input"]["config"]).name
        assert zoo.row(config).parameters == record["output"]["parameters"], config
        checked += 1
    assert checked == 93
