"""The moving average of the weights: evaluated and saved without affecting the training."""

import keras
import numpy as np
import pytest

from keras_video.training import SGD, AveragedWeights, training_callbacks


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="dense")])


def data():
    random = np.random.default_rng(0)
    return random.normal(size=(32, 3)).astype("float32"), random.normal(size=(32, 1))


class KernelRecorder(keras.callbacks.Callback):
    """Records the kernel at the end of every epoch."""

    def __init__(self):
        super().__init__()
        self.kernels = []

    def on_epoch_end(self, epoch, logs=None):
        self.kernels.append(np.array(self.model.get_layer("dense").kernel))


def fit(callbacks, epochs=3, **options):
    model = network()
    model.compile(SGD(0.1, **options), "mse")
    model.fit(*data(), batch_size=8, epochs=epochs, callbacks=callbacks, verbose=0, shuffle=False)
    return model


def test_callbacks_get_the_average_and_the_training_does_not():
    plain, inside, outside = KernelRecorder(), KernelRecorder(), KernelRecorder()
    fit([plain])
    model = fit([AveragedWeights([inside]), outside], use_ema=True, ema_momentum=0.9)
    np.testing.assert_array_equal(outside.kernels, plain.kernels)
    assert np.abs(np.array(inside.kernels) - np.array(plain.kernels)).min() > 0
    # Keras leaves the average in the model.
    np.testing.assert_array_equal(np.array(model.get_layer("dense").kernel), inside.kernels[-1])


def test_the_average_is_saved_and_resumed(tmp_path):
    options = {"use_ema": True, "ema_momentum": 0.9}
    whole = fit(training_callbacks(tmp_path / "whole", monitor=None, averaged=True), **options)
    for epochs in (1, 3):
        callbacks = training_callbacks(tmp_path / "parts", monitor=None, averaged=True)
        parts = fit(callbacks, epochs, **options)
    for weight, resumed in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, resumed)
    inside = KernelRecorder()
    callbacks = training_callbacks(
        tmp_path / "best", evaluation=inside, monitor="loss", mode="min", averaged=True
    )
    fit(callbacks, **options)
    saved = keras.models.load_model(tmp_path / "best" / "best.keras")
    np.testing.assert_array_equal(np.array(saved.get_layer("dense").kernel), inside.kernels[-1])


def test_an_optimizer_without_an_average_is_rejected():
    with pytest.raises(ValueError, match="use_ema=False, expected True"):
        fit([AveragedWeights([KernelRecorder()])])
