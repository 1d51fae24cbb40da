"""Multi-view videos in `predict`, `evaluate` and `fit`, on every backend."""

import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video.applications.model import VideoModel
from keras_video.inference.views import predict_views
from tests.applications import families, views_run

SCRIPT = Path(views_run.__file__)
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.fixture(scope="module", params=BACKENDS)
def results(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("views") / f"{request.param}.npz"
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


def softmax(z):
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("case", views_run.CASES, ids=lambda case: " ".join(map(str, case)))
def test_outputs_and_figures_are_those_of_the_averaged_views(case, results):
    kind, head, score_average, _ = case
    name = " ".join(map(str, case))
    predicted, scores, figures = (
        results[f"{name}/{key}"] for key in ("predicted", "scores", "figures")
    )
    y = views_run.labels(head)
    if head == "logits":
        predicted = softmax(predicted)
    if head == "tags of logits":  # `predict_views` cannot know that these are not classes
        assert np.isfinite(predicted).all()
    else:
        np.testing.assert_allclose(predicted, scores, atol=1e-5)
    if y.ndim == 1:
        assert figures[0] == pytest.approx(-np.log(scores[np.arange(len(y)), y]).mean(), rel=1e-3)
        assert figures[1] == pytest.approx(figures[2], abs=1e-6)
    elif head == "sigmoid":
        losses = -np.where(y > 0, np.log(scores), np.log(1 - scores))
        assert figures[0] == pytest.approx(losses.mean(), rel=1e-3)
    assert np.isfinite(results[f"{name}/trained"]).all()


def test_tags_of_logits_are_averaged_with_sigmoids():
    model = views_run.network("video", "linear")
    x = views_run.inputs("video")
    each = sigmoid(model.predict(x.reshape(-1, *x.shape[2:]), verbose=0))
    each = each.reshape(views_run.VIDEOS, views_run.VIEWS, -1)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    np.testing.assert_allclose(sigmoid(model.predict(x, verbose=0)), each.mean(1), atol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("score_average", ["prob", "score"])
def test_one_view_equals_no_view_axis(activation, score_average):
    model = views_run.network("video", activation)
    model.protocol = dataclasses.replace(views_run.PROTOCOL, score_average=score_average)
    x = views_run.inputs("video")[:, :1]
    expected = model.predict(x[:, 0], verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


class Counting(keras.layers.Layer):
    """Records the number of clips it receives at a time."""

    def call(self, x):
        self.counts.append(x.shape[0])
        return x


def counting_model():
    layer = Counting()
    layer.counts = []
    clip = keras.Input((4, 8, 8, 3))
    x = keras.layers.GlobalAveragePooling3D()(layer(clip))
    scores = keras.layers.Activation("softmax", name="predictions")(keras.layers.Dense(3)(x))
    model = VideoModel(clip, scores)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    layer.counts.clear()
    return model, layer.counts


@pytest.mark.parametrize(("limit", "parts"), [(4, [4, 4, 4, 4]), (7, [7, 7, 7]), (None, [15])])
def test_views_at_a_time_are_limited_by_the_protocol(limit, parts):
    model, counts = counting_model()
    model.protocol = dataclasses.replace(views_run.PROTOCOL, max_views=limit)
    x = views_run.inputs("video")
    scores = model.predict(x, verbose=0)
    assert counts == parts
    np.testing.assert_allclose(scores, predict_views(model, x), atol=1e-5)


def test_features_are_averaged_unchanged():
    model = families.build("c2d", include_top=False, pooling="avg")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 32, 32, 3)).astype("float32")
    each = model.predict(x.reshape(6, *x.shape[2:]), verbose=0).reshape(2, 3, -1)
    np.testing.assert_allclose(model.predict(x, verbose=0), each.mean(1), rtol=1e-4, atol=1e-5)


def test_views_larger_than_the_clips_of_training():
    model = families.build("c2d", classifier_activation="softmax")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 48, 40, 3)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), predict_views(model, x), atol=1e-5)


def test_datasets_and_calls():
    model = views_run.network("both")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = views_run.inputs("both"), views_run.labels("softmax")
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(2)
    expected = predict_views(model, x)
    np.testing.assert_allclose(model.predict(dataset, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(x), expected, atol=1e-5)
    figures = model.evaluate(dataset, verbose=0, return_dict=True)
    assert figures["accuracy"] == pytest.approx((expected.argmax(1) == y).mean())
    assert model.test_on_batch(x, y)[0] == pytest.approx(figures["loss"], rel=1e-4)


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (2, 3, 2, 4, 8, 8, 3), (2, 3, 4, 8, 8, 1)])
def test_a_batch_of_another_rank_is_an_error_that_names_its_shape(shape):
    model = views_run.network("video")
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.zeros(shape, "float32"), np.zeros(2)
    text = r",? ".join(map(str, shape[1:]))
    for call in (lambda: model.predict(x, verbose=0), lambda: model.evaluate(x, y, verbose=0)):
        with pytest.raises(ValueError, match=text):
            call()


def test_batches_with_and_without_views_in_any_order():
    model = views_run.network("video")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = views_run.inputs("video"), views_run.labels("softmax")
    losses = []
    for clips in (x[:, 0], x, x[:, 0], x):
        scores = model.predict(clips, verbose=0)
        np.testing.assert_allclose(scores, predict_views(model, clips), atol=1e-5)
        losses.append(model.evaluate(clips, y, verbose=0)[0])
    assert losses[:2] == losses[2:]
    assert losses[0] != losses[1]


def test_training_takes_one_view():
    model = views_run.network("video")
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="3, 4, 8, 8, 3"):
        model.fit(views_run.inputs("video"), views_run.labels("softmax"), verbose=0)


def test_some_inputs_with_views_and_others_without():
    model = views_run.network("both")
    x = views_run.inputs("both")
    mixed = {"video": x["video"], "audio": x["audio"][:, 0]}
    with pytest.raises(ValueError, match=r"received clips of shape .*\(5, 8, 6, 1\)"):
        model.predict(mixed, verbose=0)
