import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video.training import find_learning_rate
from keras_video.training.lr_find import curve_of


def linear_regression(optimizer="sgd"):
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 8)).astype("float32")
    y = x @ random.normal(size=(8, 1)).astype("float32")
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", jit_compile=False)
    return model, tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


def test_the_rate_grows_until_the_loss_does():
    model, dataset = linear_regression()
    curve = find_learning_rate(model, dataset, lowest=1e-5, highest=100.0, steps=60)
    assert curve.rates[0] == pytest.approx(1e-5) and curve.rates[-1] < 100
    assert len(curve.rates) == len(curve.losses) == len(curve.smoothed)
    # Gradient descent on this loss is stable up to a rate of about one half.
    assert 1e-3 < curve.suggested < 0.6
    model, dataset = linear_regression(keras.optimizers.SGD(curve.suggested))
    losses = model.fit(dataset, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_the_steepest_fall_is_suggested():
    rates = np.geomspace(1e-4, 1, 41)
    losses = 2 - 1 / (1 + np.exp(-4 * (np.log10(rates) + 2)))  # falls fastest at 0.01
    curve = curve_of(rates.tolist(), losses.tolist())
    assert 0.01 <= curve.suggested < 0.1  # smoothing lags behind
    assert curve_of([0.1, 0.2, 0.3, 0.4, 0.5], [1.0, 2.0, 3.0, 4.0, 5.0]).suggested is None


def test_it_is_plotted_and_written(tmp_path):
    pytest.importorskip("matplotlib")
    import matplotlib.image

    curve = curve_of(np.geomspace(1e-4, 1, 20).tolist(), np.linspace(2, 1, 20).tolist())
    curve.draw(tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").std() > 0.02
    curve.save(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "learning_rate,loss,smoothed_loss" and len(lines) == 21


def test_errors_are_reported():
    model, dataset = linear_regression()
    for options in ({"steps": 3}, {"lowest": 1.0, "highest": 0.1}, {"lowest": 0.0}):
        with pytest.raises(ValueError, match="expected 0 < lowest < highest and at least 10"):
            find_learning_rate(model, dataset, **options)
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model, dataset = linear_regression(keras.optimizers.SGD(schedule))
    with pytest.raises(ValueError, match="the optimizer has a schedule, expected a number"):
        find_learning_rate(model, dataset)
