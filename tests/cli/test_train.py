"""`keras-video train`, without data."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from keras_video import zoo
from tests.cli.running import call

EXAMPLE = "--row=tsn_r18_1x1x4_moving_shapes"


@pytest.fixture
def eagerly():
    """A single step is faster without compiling a graph."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_every_family_has_an_example_that_a_bare_run_trains():
    examples = {row.constructor for row in zoo.rows(kind="example")}
    assert {row.constructor for row in zoo.rows()} - {None} <= examples


def test_a_row_without_a_network_says_why():
    with pytest.raises(ValueError, match="fusion row without a model"):
        call("train", "--row=t41_r05")


def test_a_row_without_a_batch_size_asks_for_one(tmp_path):
    with pytest.raises(ValueError, match=r"t40_r02 .* set --batch_size"):
        call("train", "--row=t40_r02", f"--work_dir={tmp_path}/run")


def test_views_are_spelled_clips_times_crops():
    with pytest.raises(flags.Error, match="expected integers such as 10x3"):
        call("train", EXAMPLE, "--dry_run", "--views=ten")


def test_a_dry_run_takes_one_step_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    steps = []
    fit = keras.Model.fit

    def counted(model, *args, **options):
        history = fit(model, *args, **options)
        steps.append(int(model.optimizer.iterations.numpy()))
        return history

    monkeypatch.setattr(keras.Model, "fit", counted)
    call("train", EXAMPLE, "--dry_run", "--size=32", "--batch_size=3")
    assert steps == [1]
    assert "One step of tsn_r18_1x1x4_moving_shapes: 3 clips" in capsys.readouterr().out
    assert not any(tmp_path.iterdir())


def test_a_row_with_batch_mixing_learns_from_soft_labels(monkeypatch, eagerly):
    label_batches = []
    fit = keras.Model.fit

    def record_labels(model, dataset, **options):
        label_batches.extend(labels.numpy() for _, labels in dataset)
        return fit(model, dataset, **options)

    monkeypatch.setattr(keras.Model, "fit", record_labels)
    call("train", "--row=u24", "--dry_run", "--size=32", "--batch_size=4")
    assert label_batches[0].shape == (4, 400)
    assert label_batches[0].sum(1) == pytest.approx(1.0)


def fitted(monkeypatch, *flags, row=EXAMPLE):
    """The model of a dry run."""
    models, fit = [], keras.Model.fit

    def noted(model, *args, **options):
        models.append(model)
        return fit(model, *args, **options)

    monkeypatch.setattr(keras.Model, "fit", noted)
    call("train", row, "--dry_run", "--size=32", *flags)
    return models[0]


def test_flags_reach_the_optimizer(monkeypatch, eagerly):
    model = fitted(monkeypatch, "--accumulate=2", "--ema=0.9")
    assert model.optimizer.gradient_accumulation_steps == 2
    assert model.optimizer.use_ema and model.optimizer.ema_momentum == 0.9


@pytest.mark.slow(every_change=True)
def test_a_row_may_normalize_on_the_device(monkeypatch, eagerly):
    row = "--row=tsm_r50_gpu_normalize_1x1x8_50e_kinetics400_rgb"
    model = fitted(monkeypatch, "--batch_size=1", row=row)
    row = zoo.row("tsm_r50_gpu_normalize_1x1x8_50e_kinetics400_rgb")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 8, 32, 32, 3), np.uint8)
    plain = row.model(input_shape=(8, 32, 32, 3))
    plain.set_weights(model.get_weights())
    normalized = (pixels - np.array(row.normalize.mean)) / np.array(row.normalize.std)
    expected = keras.ops.convert_to_numpy(plain(normalized.astype("float32")))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(pixels)), expected, rtol=1e-3)
    assert model.preprocessing["normalize"]["mean"] == [0.0, 0.0, 0.0]
