"""The losses of Keras that trainings are given are those of the reference."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

FIXTURE = Path(__file__).parents[1] / "fixtures" / "data" / "losses.json"
RECORDS = [
    record
    for record in json.loads(FIXTURE.read_text())["records"]
    if record["arguments"].get("loss") == "CrossEntropyLoss"
    and record["arguments"]["class_weight"] is None
    or record["arguments"].get("head") == "single-label head"
]


@pytest.mark.parametrize("record", RECORDS)
def test_cross_entropy_equals_the_reference(record):
    given, wanted = record["input"], record["output"]
    targets, scores = np.asarray(given[given["target"]]), np.asarray(given["score"], "float32")
    if given["target"] == "hard":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    wanted = wanted.get("loss", wanted.get("loss_cls"))
    assert float(loss(targets, scores)) == pytest.approx(wanted, rel=1e-6)
