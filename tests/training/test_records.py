import resource
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training.records import BestCheckpoint, EpochLog, read_log

pytestmark = pytest.mark.unit


def run(callback, epochs, first=0):
    """Runs a callback over epochs with their logs."""
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


def test_a_best_model_survives_a_write_that_fails(checkpoint):
    checkpoint.on_epoch_end(0, {"val_top1": 0.5, "loss": 1.0})
    before = Path(checkpoint.filepath).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError):
            checkpoint.on_epoch_end(1, {"val_top1": 0.6, "loss": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Path(checkpoint.filepath).read_bytes() == before
    assert checkpoint.best == 0.5
    assert [path.name for path in Path(checkpoint.filepath).parent.iterdir()] == ["best.keras"]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), None])
def test_a_non_finite_value_is_not_the_best(checkpoint, value):
    checkpoint.on_epoch_end(0, {"val_top1": value, "loss": 1.0})
    assert checkpoint.best is None and not Path(checkpoint.filepath).exists()


def test_the_minimum_is_the_best_in_mode_min(tmp_path):
    callback = BestCheckpoint(tmp_path / "best.keras", "val_loss", "min")
    callback.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    bests = []
    for epoch, value in enumerate((3.0, 2.0, 2.5)):
        callback.on_epoch_end(epoch, {"val_loss": value})
        bests.append(callback.best)
    assert bests == [3.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="received mode='best'"):
        BestCheckpoint(tmp_path / "best.keras", "val_loss", "best")


GOOD = "epoch,loss\n1,1.0\n2,0.5\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is incomplete"),
        ("\n", "line 1"),
        ("\0\1\2\n", "line 1"),
        ("\xff\xfe", "decode"),
        ("loss\n1.0\n", "line 1"),
        ("epoch,loss,loss\n1,1.0,1.0\n", "line 1"),
        (GOOD + "3\n", "line 4"),
        (GOOD + "3,1.0,2.0\n", "line 4"),
        (GOOD + "3,abc\n", "line 4: loss='abc'"),
        (GOOD + "x,1.0\n", "line 4: epoch='x'"),
        (GOOD + "2.5,1.0\n", "line 4: epoch='2.5'"),
        (GOOD + "2,1.0\n", "line 4: epoch='2'"),
        (GOOD + "-3,1.0\n", "line 4: epoch='-3'"),
        (GOOD + ",1.0\n", "line 4: epoch=''"),
        (GOOD + "inf,1.0\n", "line 4: epoch='inf'"),
        (GOOD + '3,"1.0\n', "line|end of data"),
        (GOOD + "3,0.2", "is incomplete"),
    ],
)
def test_a_damaged_log_is_reported(tmp_path, text, named):
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="latin-1", newline="")
    log = EpochLog(path)
    log.on_train_begin()
    with pytest.raises(ValueError, match=rf"log {path} is damaged: .*({named})"):
        log.on_epoch_begin(2)
    assert path.read_text(encoding="latin-1") == text


def test_a_log_ahead_of_its_backup_is_reported(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(GOOD)
    log = EpochLog(path, resumed=True)
    log.on_epoch_begin(1)  # ended between the log and the backup
    log.on_train_begin()
    with pytest.raises(ValueError, match="continues to epoch 2, but the backup .* after epoch 0"):
        log.on_epoch_begin(0)
