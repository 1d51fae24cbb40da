import keras
import numpy as np
import pytest

from keras_video.layers import DropPathway
from keras_video.training.precise_bn import PreciseBatchNorm, precise_statistics


def model_with_norm(trainable=True):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = keras.layers.Dropout(0.5)(inputs)
    norm = keras.layers.BatchNormalization(momentum=0.9, name="norm", trainable=trainable)
    x = norm(keras.layers.Activation("linear")(inputs)) + 0 * x
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse")
    return model


def batches(count=5):
    rng = np.random.default_rng(0)
    return [(rng.normal(2, 3, (8, 6)).astype("float32"), np.zeros((8, 1))) for _ in range(count)]


def statistics(model):
    norm = model.get_layer("norm")
    return [keras.ops.convert_to_numpy(v) for v in (norm.moving_mean, norm.moving_variance)]


def test_statistics_are_the_mean_over_batches():
    model, data = model_with_norm(), batches()
    precise_statistics(model, data, iterations=3)
    mean, variance = statistics(model)
    np.testing.assert_allclose(mean, np.mean([x.mean(0) for x, _ in data[:3]], 0), rtol=1e-5)
    np.testing.assert_allclose(variance, np.mean([x.var(0) for x, _ in data[:3]], 0), rtol=1e-5)
    assert model.get_layer("norm").momentum == 0.9


def test_trained_weights_and_frozen_norms_stay():
    model = model_with_norm(trainable=False)
    before = model.get_weights()
    precise_statistics(model, batches())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_no_pathway_is_dropped_meanwhile():
    inputs = keras.Input((6,))
    dropped = DropPathway(0.9, name="drop")(inputs)
    model = keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(dropped))
    data = batches()
    precise_statistics(model, data)
    np.testing.assert_allclose(
        statistics(model)[0], np.mean([x.mean(0) for x, _ in data], 0), rtol=1e-5
    )
    assert model.get_layer("drop").rate == 0.9


def test_an_empty_dataset_is_rejected():
    with pytest.raises(ValueError, match="no batch"):
        precise_statistics(model_with_norm(), [])


@pytest.mark.parametrize("validate", [False, True])
def test_callback_runs_at_its_epochs_before_validation(validate, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "keras_video.training.precise_bn.precise_statistics",
        lambda model, dataset, iterations: calls.append((epochs[-1], iterations)),
    )
    epochs, evaluations = [], []
    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    note.on_test_end = lambda logs=None: evaluations.append(len(calls))
    x, y = batches(1)[0]
    precise = PreciseBatchNorm([(x, y)], iterations=7, interval=2)
    model_with_norm().fit(
        x, y, epochs=5, verbose=0, callbacks=[note, precise],
        validation_data=(x, y) if validate else None,
    )  # fmt: skip
    assert calls == [(1, 7), (3, 7), (4, 7)]
    assert evaluations == ([0, 1, 1, 2, 3] if validate else [])


def test_fit_leaves_precise_statistics():
    model, data = model_with_norm(), batches()
    x, y = np.concatenate([x for x, _ in data]), np.concatenate([y for _, y in data])
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[PreciseBatchNorm(data)])
    np.testing.assert_allclose(statistics(model)[0], x.mean(0), rtol=1e-5)


def test_numbers_out_of_range_are_rejected():
    with pytest.raises(ValueError, match="interval=0"):
        PreciseBatchNorm([], interval=0)
