"""Multigrid training of a small model, uninterrupted and resumed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_video.data.pipelines.short_cycle import short_cycle_dataset
from keras_video.layers import BatchNormalization
from keras_video.training import Grid, fit_multigrid, training_callbacks

GRIDS = [Grid(0, 4, 2, 4, 1), Grid(0, 2, 2, 8, 3), Grid(1, 1, 4, 8, 4)]
RATES = [0.04, 0.02, 0.02, 0.01]
BATCH = 2


def small_model():
    keras.utils.set_random_seed(0)
    clip = keras.Input((None, None, None, 3))
    x = layers.Conv3D(4, 3, name="conv1")(clip)
    x = layers.BatchNormalization(name="conv1_bn")(layers.Activation("relu")(x))
    x = layers.GlobalAveragePooling3D()(x)
    return keras.Model(clip, layers.Dense(2)(x))


def batches(grid):
    generator = np.random.default_rng(0)
    frames = max(grid.frames, 3)
    clips = generator.normal(size=(16, frames, grid.side, grid.side, 3)).astype("float32")
    labels = generator.integers(0, 2, 16)
    examples = tf.data.Dataset.from_tensor_slices((clips, labels))
    factor = grid.batch_factor * BATCH
    return short_cycle_dataset(examples, [(2 * factor, grid.side), (factor, grid.side)])


def compile_model(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0, momentum=0.9), loss)


class EpochRecorder(keras.callbacks.Callback):
    """Records the settings of every epoch."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.epochs = []
        self.stop_after = stop_after

    def on_epoch_end(self, epoch, logs=None):
        norm = self.model.get_layer("conv1_bn")
        rate = round(float(self.model.optimizer.learning_rate), 4)
        self.epochs.append((epoch, norm.splits, rate))
        self.model.stop_training = epoch == self.stop_after


def test_every_shape_has_its_parts_and_rates():
    recorder = EpochRecorder()
    model = fit_multigrid(
        small_model(), GRIDS, RATES, batches, compile_model, [recorder], verbose=0
    )
    assert recorder.epochs == [(0, 4, 0.04), (1, 2, 0.02), (2, 2, 0.02), (3, 1, 0.01)]
    assert type(model.get_layer("conv1_bn")) is BatchNormalization


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_resumes_where_it_was_stopped(tmp_path, stop_after):
    def run(folder, recorder):
        callbacks = [*training_callbacks(folder, [recorder], monitor=None)]
        return fit_multigrid(
            small_model(), GRIDS, RATES, batches, compile_model, callbacks, verbose=0
        )

    whole = run(tmp_path / "whole", EpochRecorder())
    run(tmp_path / "broken", EpochRecorder(stop_after))
    rest = EpochRecorder()
    resumed = run(tmp_path / "broken", rest)
    assert [epoch for epoch, _, _ in rest.epochs] == list(range(stop_after + 1, 4))
    for weight, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-6)
