"""The multigrid row of SlowFast: its clips, its rates, and a short run."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video import training, zoo
from keras_video.training import multigrid_run, precise_bn
from keras_video.training.multigrid import Grid, long_cycle
from keras_video.training.multigrid_run import fit_multigrid_run, grid_rates, row_of_grid
from keras_video.training.precise_bn import precise_statistics

ROW = zoo.row("slowfast_multigrid_r50_8x8x1_358e_kinetics400_rgb")
MULTIGRID = Path(__file__).parent.parent / "fixtures" / "data" / "multigrid.json"


def test_clips_of_a_grid_span_as_long_as_the_rows():
    row = row_of_grid(ROW, Grid(0, 8, 8, 158, 20))
    assert row.input_shape == (8, 158, 158, 3)
    assert (row.sampling.train.clip_len, row.sampling.train.frame_interval) == (8, 8)
    assert row.spatial.train.crop.size == 158
    assert row.spatial.train.short_side == round(256 * 158 / 224)


def rates_of(grids, epochs=ROW.epochs, batch_size=ROW.batch_size, learning_rate=None):
    settings = SimpleNamespace(learning_rate=learning_rate)
    return grid_rates(
        SimpleNamespace(settings=settings, row=ROW, batch_size=batch_size, epochs=epochs), grids
    )


def published_grids():
    return long_cycle(ROW.multigrid, ROW.epochs, ROW.schedule.steps, *ROW.input_shape[:2])


def test_the_rows_rates_are_the_originals_in_every_epoch():
    records = json.loads(MULTIGRID.read_text())["records"]
    (record,) = (r for r in records if r["arguments"]["epochs"] == ROW.epochs)
    rates = rates_of(published_grids())
    assert rates == pytest.approx(record["output"]["lr_per_epoch"], rel=1e-9)
    assert rates[:2] == pytest.approx([0.01, 0.01 + 0.79 / 34])
    assert rates[34] == pytest.approx(0.8)


def test_rates_are_for_the_batch_and_rate_of_the_run():
    published = np.array(rates_of(published_grids()))
    half = rates_of(published_grids(), batch_size=ROW.batch_size // 2)
    assert half == pytest.approx(published / 2)
    assert rates_of(published_grids(), learning_rate=0.3) == pytest.approx(3 * published)


def test_a_short_run_has_a_short_warm_up():
    grids = [Grid(0, 4, 8, 158, 20), Grid(1, 1, 32, 224, 24)]
    rates = rates_of(grids, epochs=14)  # 2 of the 34 epochs
    assert rates[:4] == pytest.approx([0.01, 0.205, 0.4, 0.4])


class RateRecorder(keras.callbacks.Callback):
    """Records the learning rate of every epoch."""

    def __init__(self, rates):
        super().__init__()
        self.rates = rates

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(round(float(self.model.optimizer.learning_rate), 6))


@dataclass(frozen=True)
class NoiseRun:
    """A run on noise clips of its row's shape."""

    row: zoo.Row
    batch_size: int = 2
    epochs: int = 2
    rates_of_epochs: list = field(default_factory=list)

    settings = SimpleNamespace(learning_rate=0.01)
    strategy = tf.distribute.get_strategy()

    def optimizer(self, steps_per_epoch):
        return training.row_optimizer(self.row, steps_per_epoch, epochs=self.epochs)

    def compile(self, model, optimizer):
        model.compile(optimizer, training.row_loss(self.row), metrics=["accuracy"])

    def callbacks(self, test, callbacks=()):
        return [*callbacks, RateRecorder(self.rates_of_epochs)]


def noise(run, batch_size):
    assert batch_size == 0  # examples, which the cycle batches
    clips = np.random.default_rng(0).normal(size=(32, *run.row.input_shape))
    labels = np.arange(32) % 2
    return tf.data.Dataset.from_tensor_slices((clips.astype("float32"), labels))


def test_a_run_goes_through_the_shapes(monkeypatch):
    monkeypatch.setattr(multigrid_run, "training_dataset", noise)
    measured = []

    def measure(model, dataset, iterations):
        precise_statistics(model, dataset, iterations)
        shapes = {tuple(clips.shape[1:3]) for clips, _ in dataset}
        measured.append((shapes, [np.array(v) for v in model.non_trainable_variables]))

    monkeypatch.setattr(precise_bn, "precise_statistics", measure)
    clip = keras.Input((None, None, None, 3))
    x = keras.layers.Conv3D(4, (1, 3, 3), name="conv1")(clip)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    x = keras.layers.GlobalAveragePooling3D()(x)
    model = keras.Model(clip, keras.layers.Dense(2, activation="softmax")(x))
    row = replace(ROW, input_shape=(8, 224, 224, 3), precise_bn=zoo.PreciseNorm(3, 1))
    run = NoiseRun(zoo.resized(row, 16))
    trained = fit_multigrid_run(run, model, None)
    assert len(run.rates_of_epochs) == round(run.epochs * ROW.multigrid.epoch_factor)
    assert len(set(run.rates_of_epochs)) > 1
    before = model.get_layer("conv1").get_weights()[0]
    assert np.abs(trained.get_layer("conv1").get_weights()[0] - before).max() > 0
    # Once per epoch, over the batches of its shape; the last measurement is kept.
    assert len(measured) == len(run.rates_of_epochs)
    assert measured[0][0] != measured[-1][0]
    statistics = {v.path: np.array(v) for v in trained.non_trainable_variables}
    for name in ("conv1_bn/moving_mean", "conv1_bn/moving_variance"):
        assert any(np.allclose(statistics[name], value) for value in measured[-1][1]), name
