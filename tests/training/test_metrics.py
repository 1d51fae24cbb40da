import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training import metrics

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parents[1] / "fixtures" / "data" / "metrics.json"
RECORDS = json.loads(FIXTURE.read_text())["records"]


def arrays(record):
    inputs = record["input"]
    return (np.asarray(inputs[name]) for name in ("scores", "labels", "multi_hot"))


@pytest.mark.parametrize("record", RECORDS)
def test_equals_the_reference(record):
    scores, labels, targets = arrays(record)
    expected = record["output"]
    accuracies = [metrics.top_k_accuracy(scores, labels, k) for k in (1, 2, 5)]
    assert accuracies == pytest.approx(expected["top_1_2_5"])
    assert metrics.mean_class_accuracy(scores, labels) == pytest.approx(
        expected["mean_class_accuracy"]
    )
    assert metrics.mean_average_precision(scores, targets) == pytest.approx(
        expected["mean_average_precision"]
    )
    assert metrics.mmit_mean_average_precision(scores, targets) == pytest.approx(
        expected["mmit_mean_average_precision"]
    )


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(
    ("normalize", "name"), [(None, "None"), ("true", "true"), ("predicted", "pred"), ("all", "all")]
)
def test_confusion_matrix_equals_the_reference(record, normalize, name):
    scores, labels, _ = arrays(record)
    ours = metrics.confusion_matrix(scores.argmax(1), labels, normalize=normalize)
    np.testing.assert_allclose(ours, record["output"][f"confusion_{name}"])


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("form", ["indices", "column", "one-hot"])
def test_keras_metric_equals_the_reference_over_batches(record, form):
    scores, labels, _ = arrays(record)
    forms = {
        "indices": labels,
        "column": labels[:, None],
        "one-hot": np.eye(scores.shape[1])[labels],
    }
    metric = metrics.MeanClassAccuracy(scores.shape[1])
    for start in range(0, len(labels), 7):
        metric.update_state(forms[form][start : start + 7], scores[start : start + 7])
    assert float(metric.result()) == pytest.approx(record["output"]["mean_class_accuracy"])
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_classes_without_examples_do_not_count():
    scores = np.eye(4)[[0, 0, 1, 3]]
    labels = np.array([0, 0, 0, 1])
    assert metrics.mean_class_accuracy(scores, labels) == pytest.approx(1 / 3)
    metric = metrics.MeanClassAccuracy(4)
    metric.update_state(labels, scores)
    assert float(metric.result()) == pytest.approx(1 / 3)


def test_weight_zero_leaves_an_example_out():
    metric = metrics.MeanClassAccuracy(2)
    metric.update_state([0, 1, 1], np.eye(2)[[0, 1, 0]], sample_weight=[1.0, 0.5, 0.0])
    assert float(metric.result()) == pytest.approx(1.0)


def test_keras_metric_works_in_fit_and_survives_its_config():
    metric = metrics.MeanClassAccuracy(3)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert copy.classes == 3
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[copy])
    x, y = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 3
    logged = model.evaluate(x, y, batch_size=5, return_dict=True, verbose=0)
    expected = metrics.mean_class_accuracy(model.predict(x, verbose=0), y)
    assert logged["mean_class_accuracy"] == pytest.approx(expected)


def test_average_precision_groups_equal_scores():
    scores = np.array([[0.5], [0.5], [0.1]])
    targets = np.array([[1], [0], [1]])
    expected = 0.5 * 0.5 + 0.5 * 2 / 3
    assert metrics.mean_average_precision(scores, targets) == pytest.approx(expected)


def test_without_any_label_there_is_no_precision():
    assert np.isnan(metrics.mean_average_precision(np.ones((2, 3)), np.zeros((2, 3))))


def test_mismatched_shapes_are_named():
    with pytest.raises(ValueError, match=r"shapes \(3, 2\) and \(2,\)"):
        metrics.top_k_accuracy(np.ones((3, 2)), np.ones(2, int))
    with pytest.raises(ValueError, match=r"shapes \(3, 2\) and \(3,\)"):
        metrics.mean_average_precision(np.ones((3, 2)), np.ones(3))
    with pytest.raises(ValueError, match="received 'pred'"):
        metrics.confusion_matrix([0], [0], normalize="pred")


def test_entries_without_annotation_are_neither_present_nor_absent():
    random = np.random.default_rng(0)
    scores = random.random((40, 6))
    targets = random.integers(-1, 2, (40, 6))
    for measure, axis in (
        (metrics.mean_average_precision, 0),
        (metrics.mmit_mean_average_precision, 1),
    ):
        turned = [(scores.T, targets.T), (scores, targets)][axis]
        alone = [
            metrics.mean_average_precision(score[known, None], target[known, None])
            for score, target in zip(*turned, strict=True)
            for known in [target >= 0]
        ]
        assert measure(scores, targets) == pytest.approx(np.nanmean(alone))
    unknown = np.where(targets == 1, 1, -1)
    assert metrics.mean_average_precision(scores, unknown) == 1.0
    assert np.isnan(metrics.mean_average_precision(scores, np.full((40, 6), -1)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_non_finite_scores_are_counted(wrong):
    scores = np.random.default_rng(0).random((6, 4)).astype("float32")
    scores[2, 1:] = scores[4, 0] = wrong
    message = r"4 of 24 are not finite, in 2 of 6 videos \(the first is number 2\)"
    for measure in (metrics.top_k_accuracy, metrics.mean_class_accuracy):
        with pytest.raises(ValueError, match=message):
            measure(scores, np.zeros(6, int))
    for measure in (metrics.mean_average_precision, metrics.mmit_mean_average_precision):
        with pytest.raises(ValueError, match=message):
            measure(scores, np.ones((6, 4)))
    metric = metrics.MeanClassAccuracy(4)
    metric.update_state([0, 1], [[0.9, 0, 0, 0], [wrong, 0, 0, 0]])
    assert np.isnan(float(metric.result()))


def test_labels_out_of_range_are_named():
    scores = np.eye(3)
    for labels in ([0, -1, 1], [0, 3, 1], [0, 0.5, 1]):
        with pytest.raises(
            ValueError, match=rf"received label {labels[1]} for example 1.*\[0, 3\)"
        ):
            metrics.top_k_accuracy(scores, np.array(labels))
    with pytest.raises(ValueError, match="received predicted class 2 for example 0"):
        metrics.confusion_matrix([2], [0], classes=2)


@pytest.mark.parametrize("form", ["indices", "column"])
def test_one_output_distinguishes_two_classes(form):
    scores = np.array([[0.9], [0.5], [0.1], [0.2], [0.8]], "float32")
    labels = np.array([1, 1, 0, 0, 0])
    targets = labels if form == "indices" else labels[:, None].astype("float32")
    assert metrics.top_k_accuracy(scores, targets) == pytest.approx(3 / 5)
    assert metrics.mean_class_accuracy(scores, targets) == pytest.approx((1 / 2 + 2 / 3) / 2)
    ours, keras_metric = metrics.MeanClassAccuracy(2), keras.metrics.BinaryAccuracy()
    ours.update_state(targets, scores)
    keras_metric.update_state(labels[:, None], scores)
    assert float(ours.result()) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert float(keras_metric.result()) == pytest.approx(3 / 5)
    with pytest.raises(ValueError, match="between -1.0 and 2.0, expected probabilities"):
        metrics.top_k_accuracy(np.array([[-1.0], [2.0]]), np.array([0, 1]))
