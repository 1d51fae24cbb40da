"""The losses equal those of the reference."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.training import BinaryCrossentropy, HVULoss, WeightedCrossentropy, row_loss

pytestmark = pytest.mark.unit

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
    inputs, expected = record["input"], record["output"]
    targets, scores = np.asarray(inputs[inputs["target"]]), np.asarray(inputs["score"], "float32")
    if inputs["target"] == "hard":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    expected = expected.get("loss", expected.get("loss_cls"))
    assert float(loss(targets, scores)) == pytest.approx(expected, rel=1e-6)


def records(**required):
    """Records with these arguments, as (arguments, scores, targets, loss)."""
    for record in json.loads(FIXTURE.read_text())["records"]:
        arguments, inputs, output = record["arguments"], record["input"], record["output"]
        if all(arguments.get(key) == value for key, value in required.items()):
            targets = np.asarray(inputs[inputs["target"]], "float32")
            loss = output.get("loss", output.get("loss_cls"))
            yield arguments, np.asarray(inputs["score"], "float32"), targets, loss


def test_binary_cross_entropy_equals_the_reference():
    checked = 0
    for arguments, scores, targets, loss in records(loss="BCELossWithLogits"):
        weights = arguments["loss_weight"], arguments.get("class_weight")
        ours = BinaryCrossentropy(*weights, from_logits=True)
        assert float(ours(targets, scores)) == pytest.approx(loss, rel=1e-6)
        probabilities = 1 / (1 + np.exp(-scores))
        ours = BinaryCrossentropy(*weights)
        assert float(ours(targets, probabilities)) == pytest.approx(loss, rel=1e-4)
        checked += 1
    assert checked


def test_smoothed_tags_equal_the_reference():
    checked = 0
    for arguments, scores, targets, loss in records(head="multi-label head"):
        smoothing = arguments["label_smooth_eps"]
        ours = BinaryCrossentropy(label_smoothing=smoothing, from_logits=True)
        assert float(ours(targets, scores)) == pytest.approx(loss, rel=1e-6)
        checked += 1
    assert checked == 2


def test_weighted_cross_entropy_equals_the_reference():
    checked = 0
    for arguments, scores, targets, loss in records(loss="CrossEntropyLoss"):
        if arguments["class_weight"] is not None:
            ours = WeightedCrossentropy(arguments["class_weight"], from_logits=True)
            assert float(ours(targets, scores)) == pytest.approx(loss, rel=1e-6)
            checked += 1
    assert checked == 2


def entropies(targets, scores):
    return np.logaddexp(0, scores) - targets * scores


def test_unknown_tags_do_not_count():
    scores = np.array([[1.0, -2.0, 0.5, 3.0], [0.3, 0.2, -0.1, 1.0]], "float32")
    targets = np.array([[1, 0, -1, -1], [0, 1, 1, 0]], "float32")
    each = entropies(targets, scores)
    expected = (each[0, :2].mean() + each[1].mean()) / 2
    loss = BinaryCrossentropy(from_logits=True)
    assert float(loss(targets, scores)) == pytest.approx(expected, rel=1e-5)
    weights = [1, 2, 3, 4]
    expected = ((each * weights)[0, :2].mean() + (each * weights)[1].mean()) / 2
    loss = BinaryCrossentropy(class_weight=weights, from_logits=True)
    assert float(loss(targets, scores)) == pytest.approx(expected, rel=1e-5)


def test_hvu_categories_are_averaged_over_the_videos_that_have_them():
    scores = np.array([[1.0, -2.0, 0.5, 3.0], [0.3, 0.2, -0.1, 1.0]], "float32")
    targets = np.array([[1, 0, -1, -1], [0, 1, 1, -1]], "float32")
    each = entropies(targets, scores)
    loss = HVULoss(sizes=(2, 1, 1), category_weights=(1, 2, 5), weight=3, from_logits=True)
    first, second = each[:, :2].mean(), each[1, 2]  # no video has the third
    expected = 3 * (first + 2 * second) / 3
    assert float(loss(targets, scores)) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="received 4 tags, expected 5"):
        HVULoss(sizes=(2, 3))(targets, scores)


@pytest.mark.parametrize(
    "loss",
    [
        BinaryCrossentropy(160, [1, 2], 0.1, True),
        HVULoss((1, 1), (1, 2), 3),
        WeightedCrossentropy([1, 2]),
    ],
    ids=lambda loss: loss.name,
)
def test_losses_are_saved(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()


def test_every_row_has_its_loss():
    assert row_loss(zoo.row("t52_r00")).weight == 333
    assert row_loss(zoo.row("t50_r00")).weight == 160
    assert type(row_loss(zoo.row("t34_r01"))) is keras.losses.CategoricalCrossentropy
    assert type(row_loss(zoo.row("t41_r00"))) is keras.losses.SparseCategoricalCrossentropy
