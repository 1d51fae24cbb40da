import keras
import numpy as np
import pytest

from keras_video.training import callbacks as ours
from keras_video.training.divergence import DivergedError
from keras_video.training.optimizers import SGD
from keras_video.training.resume import resume_callbacks
from keras_video.training.schedules import ScaledSchedule, StepSchedule


def linear_model(optimizer):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def fit(model, *callbacks, epochs=1):
    x, y = np.ones((8, 2)), np.ones((8, 1))
    return model.fit(x, y, 4, epochs=epochs, callbacks=list(callbacks), verbose=0)


def weights_after(rate, *callbacks):
    model = linear_model(SGD(rate, momentum=0.0))
    fit(model, *callbacks)
    return model.get_weights()[0]


def schedule(rate):
    return StepSchedule(rate, [1], steps_per_epoch=2)


@pytest.mark.parametrize("make", [float, schedule])
def test_the_rate_grows_with_the_batch(make, capsys):
    scaling = ours.LearningRateScaling(256, 64)
    scaled = weights_after(make(0.2), scaling)
    np.testing.assert_allclose(scaled, weights_after(make(0.05)), rtol=1e-6)
    assert "Learning rate 0.05 in iteration 0" in capsys.readouterr().out


@pytest.mark.parametrize("make", [float, schedule])
def test_a_second_fit_does_not_scale_again(make):
    model = linear_model(SGD(make(0.2)))
    for _ in range(3):
        fit(model, ours.LearningRateScaling(4, 8, verbose=0))
    rate = model.optimizer.learning_rate
    assert float(rate) == pytest.approx(0.4 if make is float else 0.04)


def test_a_schedule_compiled_before_takes_the_new_scale():
    model = linear_model(SGD(schedule(0.2), momentum=0.0))
    plain = linear_model(SGD(schedule(0.2), momentum=0.0))
    for network in (model, plain):
        fit(network)
    before = model.get_weights()[0]
    fit(model, ours.LearningRateScaling(1, 5, verbose=0))
    fit(plain)
    moved, usual = (network.get_weights()[0] - before for network in (model, plain))
    assert np.all(moved > 2 * usual)


@pytest.mark.parametrize("make", [float, schedule])
def test_a_resumed_run_does_not_scale_again(make, tmp_path):
    rates = []
    for epochs in (1, 2):
        model = linear_model(SGD(make(0.2)))
        restore, backup = resume_callbacks(tmp_path)
        history = fit(
            model, restore, ours.LearningRateScaling(4, 8, verbose=0), backup, epochs=epochs
        )
        rates += history.history["learning_rate"]
    assert rates == pytest.approx([0.4, 0.4] if make is float else [0.04, 0.04])


def test_scales_inside_a_loss_scale_optimizer():
    model = linear_model(keras.optimizers.LossScaleOptimizer(SGD(schedule(0.2))))
    fit(model, ours.LearningRateScaling(4, 8, verbose=0))
    assert isinstance(model.optimizer.inner_optimizer._learning_rate, ScaledSchedule)


def test_batch_sizes_must_be_positive():
    with pytest.raises(ValueError, match="received base_batch_size=0, global_batch_size=8"):
        ours.LearningRateScaling(0, 8)


def test_the_data_receives_every_epoch():
    class Counter:
        value = 41

    counter, epochs = Counter(), []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: epochs.append(counter.value)
    )
    model = linear_model("sgd")
    model._initial_epoch = 2
    fit(model, ours.EpochSeed(counter), note, epochs=4)
    assert epochs == [2, 2, 3, 3]


def names_of(callbacks):
    return [type(callback).__name__ for callback in callbacks]


def test_the_callbacks_are_in_the_required_order(tmp_path, monkeypatch):
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: None)
    seed = ours.EpochSeed(None)
    names = names_of(ours.training_callbacks(tmp_path, [seed]))
    assert names == [
        "Restore",
        "EpochSeed",
        "StopWhenDiverged",
        "BestCheckpoint",
        "EpochLog",
        "Backup",
    ]
    without = names_of(ours.training_callbacks(tmp_path, monitor=None))
    assert without == ["Restore", "StopWhenDiverged", "EpochLog", "Backup"]


def test_tensorboard_is_used_where_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: name == "tensorboard")
    names = names_of(ours.training_callbacks(tmp_path))
    assert names[-2:] == ["TensorBoard", "Backup"]


def test_a_run_leaves_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: None)
    model = linear_model(SGD(0.01))
    fit(model, *ours.training_callbacks(tmp_path / "run", monitor="loss", mode="min"), epochs=2)
    files = {path.relative_to(tmp_path / "run").as_posix() for path in tmp_path.rglob("*.*")}
    assert files == {
        "best.keras",
        "log.csv",
        "backup/state.json",
        "backup/epoch_2.weights.h5",
    }


def test_a_non_finite_loss_ends_the_run_and_keeps_the_last_good_state(tmp_path):
    model = linear_model(SGD(1e30))
    callbacks = ours.training_callbacks(tmp_path, monitor=None)
    with pytest.raises(DivergedError, match=r"epoch 1, step \d"):
        fit(model, *callbacks, epochs=50)
    assert not (tmp_path / "backup" / "state.json").exists()
