"""Automatic optimization: when it pays off, equal scores, and changes of weights."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_video import inference, zoo
from keras_video.inference import automatic, optimizing
from keras_video.inference.features import feature_model
from keras_video.inference.live import LiveModel
from keras_video.inference.views import logits_model, predict_views
from keras_video.training import evaluate_views
from tests.applications import families
from tests.cli.running import environment

FAST = 1.0 + 2**-18  # a form that is recognizable by its outputs


@pytest.fixture
def model():
    return families.build("tsn")


@pytest.fixture
def shapes(monkeypatch):
    """Makes `optimize` instant; the list collects the shapes it is called with."""
    calls = []

    def optimize(network, shape):
        calls.append(shape)
        plain = network.predict_on_batch
        fast = lambda clips: np.asarray(plain(clips)) * FAST  # noqa: E731
        return optimizing.Optimized(fast, "folded", 2.0, 0.0, {})

    monkeypatch.setattr(automatic, "optimize", optimize)
    monkeypatch.setattr(automatic, "cost", lambda tracing, call: 5.0)
    return calls


def clips(count, seed=0):
    return np.random.default_rng(seed).normal(size=(1, count, 3, 32, 32, 3)).astype("float32")


def pace(of_clip):
    """A `_Pace` after two calls of one clip, of which the first compiled for a second."""
    network_pace = automatic._Pace()
    network_pace._count(1.0 + of_clip, 1)
    network_pace._count(of_clip, 1)
    return network_pace


def test_a_known_amount_of_work_is_weighed_against_the_cost(monkeypatch):
    monkeypatch.setattr(automatic, "cost", lambda tracing, call: 10 * tracing + 30 * call)
    # 1 s to compile and 0.1 s per clip: the search takes 13 s, a fifth of the time of 650 clips.
    assert not pace(0.1).pays(to_come=640, batch=1)
    assert pace(0.1).pays(to_come=660, batch=1)


def test_work_of_unknown_length_waits_until_optimizing_would_have_paid_off(monkeypatch):
    monkeypatch.setattr(automatic, "cost", lambda tracing, call: 1.0)
    new_pace = automatic._Pace()
    new_pace._count(1.0, 1)
    for number in range(1, 9):
        new_pace._count(1.0, 1)
        assert new_pace.pays(to_come=0, batch=1) == (automatic.GAIN * number > 1.0)


def test_the_cost_grows_with_the_time_of_compiling_and_of_a_call():
    assert automatic.cost(2.0, 0.1) > automatic.cost(1.0, 0.1) > 0
    assert automatic.cost(1.0, 0.2) > automatic.cost(1.0, 0.1)


def test_many_clips_are_scored_by_the_optimized_form(model, shapes):
    expected = predict_views(model, clips(6), max_views=1)
    assert not shapes
    scores = predict_views(model, clips(6), max_views=1, optimize="auto", to_come=10**9)
    # The first call compiles, the second one is timed.
    assert shapes == [(1, 3, 32, 32, 3)]
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    network = logits_model(model)
    assert automatic._pace_of(network).fast is not None
    predict_views(model, clips(6), max_views=1, optimize="auto")
    assert len(shapes) == 1


def test_few_clips_are_not_scored_by_the_optimized_form(model, shapes):
    predict_views(model, clips(6), max_views=1, optimize="auto", to_come=10)
    predict_views(model, clips(6), max_views=1, to_come=10**9)
    assert not shapes


def test_changed_weights_take_effect(model, shapes):
    for _ in range(2):
        predict_views(model, clips(2), max_views=1, optimize="auto", to_come=10**9)
    kernel = model.get_layer("fc_cls").kernel
    kernel.assign(kernel * 2)
    expected = predict_views(model, clips(2), max_views=1)
    scores = predict_views(model, clips(2), max_views=1, optimize="auto")
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert len(shapes) == 1


def test_a_failed_optimization_falls_back_to_the_model(model, monkeypatch):
    monkeypatch.setattr(automatic, "cost", lambda tracing, call: 0.0)
    monkeypatch.setattr(automatic, "optimize", lambda *_: 1 / 0)
    expected = predict_views(model, clips(4), max_views=1)
    scores = predict_views(model, clips(4), max_views=1, optimize="auto", to_come=9)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_features_live_frames_and_evaluation_use_the_optimized_form(model, shapes, monkeypatch):
    features = feature_model(model)
    expected = features(clips(4)[0])
    pooled = features(clips(4)[0], 1, optimize="auto", to_come=10**9)
    assert len(shapes) == 1
    np.testing.assert_allclose(pooled, expected, atol=1e-4)

    batches = [(clips(1, seed), np.zeros(1)) for seed in range(3)]
    monkeypatch.setattr(automatic, "cost", lambda tracing, call: 0.0)
    scores, _ = evaluate_views(model, batches, optimize="auto", verbose=0)
    assert len(shapes) == 2
    np.testing.assert_allclose(scores, evaluate_views(model, batches, verbose=0)[0], atol=1e-4)


def test_a_live_model_is_ready_before_its_frames(shapes):
    model = families.build("tsn")
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    LiveModel(model)
    assert not shapes
    LiveModel(model, optimize="auto")
    assert len(shapes) == 1


def test_another_choice_is_rejected(model):
    with pytest.raises(ValueError, match="optimize='fast': expected one of auto, off"):
        predict_views(model, clips(1), optimize="fast")
    with pytest.raises(ValueError, match="optimize='fast'"):
        inference.predict_video(model, "nowhere.mp4", optimize="fast")
    with pytest.raises(ValueError, match="optimize='fast'"):
        inference.classify("nowhere.mp4", model, optimize="fast")


# 200 MB of weights: convolutions with norms, half of which are eligible for Winograd filtering.
MEMORY = """
import keras_video, keras, numpy as np, resource
from keras import layers
from keras_video import inference
from keras_video.inference import optimizing
optimizing.SECONDS = 0.0
x = inputs = keras.Input((4, 12, 12, 224))
for number in range(28):
    x = layers.Conv3D(224, 3 if number % 2 else (5, 3, 3), padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
model = keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling3D()(x)))
weights = sum(4 * int(np.prod(v.shape)) for v in model.variables)
clips = np.zeros((1, *inputs.shape[1:]), "float32")
for _ in range(2):
    model.predict_on_batch(clips)
peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
optimized = inference.optimize(model, runtime="keras")
assert "folded, Winograd" in optimized.seconds, optimized.seconds
print(weights, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="forms of TensorFlow")
def test_memory_grows_by_at_most_three_times_the_weights():
    result = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, env=environment()
    )
    assert result.returncode == 0, result.stderr[-2000:]
    weights, more = map(int, result.stdout.split())
    # `compile_frozen` needs eight to ten times the size of the weights.
    assert weights < more <= 3 * weights, (weights, more)
