"""Training learns from confidently misclassified examples, on every backend."""

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training import WeightedCrossentropy
from tests.applications import logits_run

SCRIPT = Path(logits_run.__file__)
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


def expected(case, gap):
    """Gradient of the logits and loss, in float64."""
    z = np.array([gap, 0, 0, 0])
    logarithms = z - gap - np.log(np.exp(z - gap).sum())
    p = np.exp(logarithms)
    sigmoid = 1 / (1 + np.exp(-z))
    tags = logits_run.TAGS[0].astype("float64")
    each = np.logaddexp(0, z) - tags * z
    if case in ("tags", "tags by name"):
        weight = logits_run.TAGGED.loss.weight if case == "tags" else 1
        return weight * (sigmoid - tags) / 4, weight * each.mean()
    if case == "categories":
        weights = np.array([1, 1 / 3, 1 / 3, 1 / 3]) / 2
        return (sigmoid - tags) * weights, (each * weights).sum()
    if case in ("soft labels", "says logits", "weighted"):
        target = np.array([0, 0.5, 0.5, 0])
        if case == "weighted":
            target = target * [1, 2, 3, 4] / 2.5
    else:
        target = np.array([0, 1, 0, 0]) * (1.5 if case == "auxiliary" else 1)
    return p * target.sum() - target, -(target * logarithms).sum()


@pytest.fixture(scope="module", params=BACKENDS)
def results(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("logits") / f"{request.param}.npz"
    environment = {"KERAS_BACKEND": request.param, "PYTHONPATH": str(SCRIPT.parents[2])}
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("gap", logits_run.GAPS)
@pytest.mark.parametrize("case", [*logits_run.CASES, "auxiliary"])
def test_gradient_far_from_the_label(case, gap, results):
    *gradient, trained, evaluated = results[f"{case} {gap:g}"]
    expected_gradient, loss = expected(case, gap)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-6)
    assert trained == pytest.approx(loss, rel=1e-5)
    assert evaluated == pytest.approx(loss, rel=1e-5)


def compiled(loss="sparse_categorical_crossentropy", activation="softmax"):
    model = logits_run.network(activation)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def test_metrics_and_predictions_are_of_probabilities():
    model = logits_run.network("sigmoid")
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["binary_accuracy"])
    kernel = np.zeros((4, 4), "float32")
    kernel[0] = [0.4, 0.4, -0.4, 0.4]  # logits above 0 and below 0.5
    model.get_layer("fc_cls").set_weights([kernel])
    results = model.evaluate(logits_run.CLIP, logits_run.TAGS, verbose=0, return_dict=True)
    assert results["binary_accuracy"] == pytest.approx(0.75)
    model.fit(logits_run.CLIP, logits_run.TAGS, verbose=0)
    assert model.predict(logits_run.CLIP, verbose=0).min() > 0
    assert keras.ops.min(model(logits_run.CLIP)) > 0


def test_a_loss_on_given_probabilities_is_that_of_keras():
    model = compiled()
    scores = np.array([[0.1, 0.2, 0.3, 0.4]], "float32")
    loss = model.compute_loss(y=logits_run.CLASS, y_pred=scores, training=False)
    assert float(loss) == pytest.approx(-np.log(0.2), rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", keras.losses.BinaryCrossentropy(), lambda y, p: p[:, 0]])
def test_other_losses_get_the_probabilities(loss):
    model = compiled(loss)
    plain = keras.Model(model.input, model.output)
    plain.compile("sgd", loss)
    losses = [
        each.evaluate(logits_run.CLIP, logits_run.TAGS, verbose=0, return_dict=True)["loss"]
        for each in (model, plain)
    ]
    assert losses[0] == losses[1]


def test_a_model_of_logits_is_unchanged():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = compiled(loss, "linear")
    assert model.loss is loss
    assert np.isfinite(model.fit(logits_run.CLIP, logits_run.CLASS, verbose=0).history["loss"])


def test_files_store_the_loss_unchanged(tmp_path):
    model = compiled(WeightedCrossentropy([1, 2, 3, 4]))
    model.fit(logits_run.CLIP, logits_run.CLASS, verbose=0)
    model.save(tmp_path / "model.keras")
    for loaded in (
        keras.models.load_model(tmp_path / "model.keras"),
        pickle.loads(pickle.dumps(model)),
    ):
        config = loaded.get_compile_config()["loss"]["config"]
        assert (config["class_weight"], config["from_logits"]) == ([1, 2, 3, 4], False)
        assert loaded.optimizer.iterations == 1
        assert np.isfinite(loaded.train_on_batch(logits_run.CLIP, logits_run.CLASS)[0])
    assert keras.models.load_model(tmp_path / "model.keras", compile=False).compiled is False
