import gc
from functools import partial

import keras
import numpy as np
import pytest

from keras_video.applications import C3D, TSN, X3D
from keras_video.inference import views
from keras_video.inference.views import (
    _MAX_SHAPES,
    _RESHAPED_MODELS,
    logits_model,
    model_for,
    predict_views,
)


def classifier(activation="softmax", classes=5, policy=None):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2, 4, 4, 3))
    x = keras.layers.GlobalAveragePooling3D(dtype=policy)(inputs)
    x = keras.layers.Dense(classes, kernel_initializer="random_normal", name="fc_cls")(x * 40)
    outputs = keras.layers.Activation(activation, dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs)


def clips_of(batch=3, views=4):
    return np.random.default_rng(0).normal(size=(batch, views, 2, 4, 4, 3)).astype("float32")


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logits_of(model, clips):
    pooled = clips.mean((2, 3, 4)).astype("float64") * 40
    kernel, bias = model.get_layer("fc_cls").get_weights()
    return pooled @ kernel + bias


@pytest.mark.parametrize(
    ("activation", "squash"), [("softmax", softmax), ("sigmoid", sigmoid), ("linear", softmax)]
)
@pytest.mark.parametrize("max_views", [None, 1, 5, 100])
def test_averages_as_requested(activation, squash, max_views):
    model, clips = classifier(activation), clips_of()
    logits = logits_of(model, clips)
    by_probability = predict_views(model, clips, score_average="prob", max_views=max_views)
    by_score = predict_views(model, clips, score_average="score", max_views=max_views)
    np.testing.assert_allclose(by_probability, squash(logits).mean(1), atol=1e-5)
    np.testing.assert_allclose(by_score, squash(logits.mean(1)), atol=1e-5)
    assert np.abs(by_probability - by_score).max() > 1e-3
    assert by_probability.dtype == by_score.dtype == np.float32


def test_one_view_equals_the_model():
    model, clips = classifier(), clips_of(views=1)
    expected = keras.ops.convert_to_numpy(model(clips[:, 0]))
    np.testing.assert_allclose(predict_views(model, clips), expected, atol=1e-6)


def test_large_logits_stay_finite():
    model = classifier()
    layer = model.get_layer("fc_cls")
    layer.set_weights([layer.get_weights()[0] * 1e4, layer.get_weights()[1]])
    scores = predict_views(model, clips_of(), score_average="score")
    np.testing.assert_allclose(scores.sum(1), 1.0, rtol=1e-6)


def test_logits_model_shares_the_weights_and_drops_the_activation():
    model, clips = classifier("sigmoid"), clips_of()
    shortened = logits_model(model)
    assert shortened.layers[-1].name == "fc_cls"
    assert all(a is b for a, b in zip(shortened.weights, model.weights, strict=True))
    outputs = keras.ops.convert_to_numpy(shortened(clips[:, 0]))
    np.testing.assert_allclose(outputs, logits_of(model, clips)[:, 0], rtol=1e-4, atol=1e-5)
    assert logits_model(model) is shortened


def test_logits_model_of_a_nested_model():
    model = classifier()
    outer = keras.Input((2, 4, 4, 3))
    keras.Model(outer, model(outer))
    assert logits_model(model).inputs[0] is model.inputs[0]


def test_logits_model_is_released_with_its_model():
    gc.collect()
    before = len(views._LOGITS_MODELS)
    model = classifier()
    predict_views(model, clips_of())
    assert len(views._LOGITS_MODELS) == before + 1
    del model
    gc.collect()
    assert len(views._LOGITS_MODELS) <= before


def test_reflects_later_changes_of_the_weights():
    model, clips = classifier(), clips_of()
    before = predict_views(model, clips)
    layer = model.get_layer("fc_cls")
    layer.set_weights([-layer.get_weights()[0], layer.get_weights()[1]])
    assert np.abs(predict_views(model, clips) - before).max() > 1e-3


def test_rejects_what_it_cannot_average():
    model, clips = classifier(), clips_of()
    with pytest.raises(
        ValueError, match="score_average must be 'prob' or 'score', received 'mean'"
    ):
        predict_views(model, clips, score_average="mean")
    with pytest.raises(ValueError, match="max_views must be at least 1, received 0"):
        predict_views(model, clips, max_views=0)
    with pytest.raises(ValueError, match=r"received shape \(3, 0, 2, 4, 4, 3\)"):
        predict_views(model, clips[:, :0])
    features = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="ends in an Activation named 'predictions'"):
        logits_model(features)


@pytest.mark.parametrize(
    ("constructor", "built", "shown"),
    [
        (partial(TSN, backbone="resnet18"), (3, 32, 32, 3), (5, 32, 32, 3)),
        (partial(TSN, backbone="resnet18"), (3, 32, 32, 3), (4, 40, 48, 3)),
        (partial(X3D, gamma_d=0.3), (4, 32, 32, 3), (4, 40, 40, 3)),
    ],
    ids=["frames", "frames and size", "size"],
)
def test_views_may_be_larger_than_the_clips_of_the_model(constructor, built, shown):
    model = constructor(input_shape=built, classes=3)
    views = np.random.default_rng(0).normal(size=(2, 2, *shown)).astype("float32")
    scores = predict_views(model, views)
    other = constructor(input_shape=shown, classes=3)
    other.set_weights(model.get_weights())
    np.testing.assert_allclose(scores, predict_views(other, views), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(predict_views(model, views), scores)
    assert model.input_shape == (None, *built)


def test_a_model_of_a_fixed_shape_rejects_other_shapes():
    model = C3D(input_shape=(16, 32, 32, 3), classes=2, feature_dim=4)
    with pytest.raises(ValueError, match=r"clips of shape \(16, 32, 32, 3\), received"):
        predict_views(model, np.zeros((1, 1, 16, 64, 64, 3), "float32"))


def test_models_of_few_shapes_are_cached():
    inputs = keras.Input((4, 8, 8, 3))
    x = keras.layers.GlobalAveragePooling3D()(keras.layers.Conv3D(2, 1)(inputs))
    x = keras.layers.Dense(3, name="fc_cls")(x)
    model = keras.Model(inputs, keras.layers.Activation("softmax", name="predictions")(x))
    built = [model_for(model, np.zeros((1, 4, size, 8, 3))) for size in range(9, 17)]
    assert model_for(model, np.zeros((1, 4, 9, 8, 3))) is built[0]
    calls = len(model.get_layer("fc_cls")._inbound_nodes)
    for size in range(17, 24):
        model_for(model, np.zeros((1, 4, size, 8, 3)))
    assert len(_RESHAPED_MODELS[model]) == _MAX_SHAPES == 8
    assert len(model.get_layer("fc_cls")._inbound_nodes) == calls
    assert model_for(model, np.zeros((1, 4, 9, 8, 3))) is built[0]
    assert model_for(model, np.zeros((1, 4, 10, 8, 3))) is not built[1]
    clips = np.random.default_rng(0).random((2, 4, 8, 8, 3), np.float32)
    expected = keras.ops.convert_to_numpy(model(clips))
    actual = keras.ops.convert_to_numpy(model_for(model, clips.repeat(2, 2))(clips.repeat(2, 2)))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
