import keras
import numpy as np
import pytest

from keras_video.training.records import BestCheckpoint, EpochLog, read_log


def run(callback, epochs, first=0):
    """Tells a callback of epochs and their logs."""
    callback.on_train_begin()
    for epoch, logs in enumerate(epochs, first):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, logs)
    callback.on_train_end()


def test_columns_that_appear_late_are_kept(tmp_path):
    path = tmp_path / "log.csv"
    run(EpochLog(path), [{"loss": 1.0}, {"loss": 0.5, "val_top1": 0.25}, {"loss": 0.125}])
    assert path.read_text() == "epoch,loss,val_top1\n1,1.0,\n2,0.5,0.25\n3,0.125,\n"
    log = read_log(path)
    assert log["epoch"] == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(log["val_top1"], [np.nan, 0.25, np.nan])


def test_epochs_that_are_run_again_replace_their_rows(tmp_path):
    path = tmp_path / "log.csv"
    run(EpochLog(path), [{"loss": 3.0}, {"loss": 2.0}, {"loss": 1.0}])
    run(EpochLog(path), [{"loss": 5.0}, {"loss": 4.0}], first=1)
    assert read_log(path) == {"epoch": [1.0, 2.0, 3.0], "loss": [3.0, 5.0, 4.0]}


def test_a_run_without_epochs_leaves_the_file(tmp_path):
    path = tmp_path / "log.csv"
    run(EpochLog(path), [{"loss": 3.0}])
    run(EpochLog(path), [])
    assert read_log(path)["loss"] == [3.0]


def test_values_survive_exactly(tmp_path):
    path, value = tmp_path / "log.csv", np.float32(1) / np.float32(3)
    run(EpochLog(path), [{"loss": value}])
    assert read_log(path)["loss"] == [float(value)]


@pytest.fixture
def checkpoint(tmp_path):
    callback = BestCheckpoint(tmp_path / "best.keras", "val_top1")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    callback.set_model(model)
    return callback


def saved_value(callback):
    return float(keras.saving.load_model(callback.filepath).get_weights()[0].squeeze())


def test_only_better_epochs_are_saved(checkpoint):
    epochs = [
        {"loss": 1.0},
        {"val_top1": 0.5, "loss": 1.0},
        {"loss": 1.0},
        {"val_top1": 0.4, "loss": 1.0},
        {"val_top1": float("nan"), "loss": 1.0},
        {"val_top1": 0.9, "loss": float("nan")},
        {"val_top1": 0.6, "loss": 1.0},
        {"val_top1": 0.6, "loss": 1.0},
    ]
    saved = []
    for epoch, logs in enumerate(epochs):
        checkpoint.model.set_weights([np.full((1, 1), float(epoch))])
        checkpoint.on_epoch_begin(epoch)
        checkpoint.on_epoch_end(epoch, logs)
        saved.append(saved_value(checkpoint) if epoch else None)
    assert saved == [None, 1.0, 1.0, 1.0, 1.0, 1.0, 6.0, 6.0]
