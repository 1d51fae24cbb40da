import keras
import numpy as np
import pytest

from keras_video.training import StopWithoutProgress, training_callbacks


class Scripted(keras.callbacks.Callback):
    """Adds a value of a list to the logs of each epoch; None adds nothing."""

    adds_to_logs = True

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        if self.values[epoch] is not None:
            logs["val_top1"] = self.values[epoch]


def fit(values, folder, patience, epochs=None, mode="max"):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    stopping = StopWithoutProgress("val_top1", patience, mode, log=folder / "log.csv")
    callbacks = training_callbacks(folder, [stopping], evaluation=Scripted(values), monitor=None)
    x, y = np.ones((4, 2)), np.ones((4, 1))
    epochs = epochs or len(values)
    history = model.fit(x, y, epochs=epochs, callbacks=callbacks, verbose=0)
    return [epoch + 1 for epoch in history.epoch], stopping


@pytest.mark.parametrize(
    ("values", "patience", "last"),
    [
        ([0.1, 0.2, 0.2, 0.1, 0.9], 2, 4),
        ([0.1, 0.2, 0.3, 0.4, 0.5], 1, 5),
        ([0.5, None, 0.4, None, 0.6], 2, 3),  # epochs without an evaluation are skipped
        ([0.5, None, None, 0.6, 0.1], 2, 5),
        ([0.5, float("nan"), 0.4, 0.4, 0.4], 3, 4),
    ],
)
def test_stops_after_patience_epochs_without_improvement(values, patience, last, tmp_path):
    epochs, stopping = fit(values, tmp_path, patience)
    assert epochs[-1] == last
    assert stopping.stopped_epoch == (last if last < 5 else None)


def test_lower_may_be_better(tmp_path, capsys):
    epochs, stopping = fit([0.5, 0.4, 0.6, 0.1], tmp_path, 1, mode="min")
    assert epochs == [1, 2, 3] and (stopping.best, stopping.best_epoch) == (0.4, 2)
    assert "Stopped after epoch 3: val_top1 has not improved on 0.4000 of epoch 2" in (
        capsys.readouterr().out
    )


def test_a_resumed_training_continues_the_count(tmp_path):
    values = [0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    assert fit(values, tmp_path, 3, epochs=2)[0] == [1, 2]
    assert fit(values, tmp_path, 3, epochs=6)[0] == [3, 4]
    # Training had stopped: it continues only with more patience.
    assert fit(values, tmp_path, 3, epochs=6)[0] == []
    assert fit(values, tmp_path, 4, epochs=6)[0] == [5]


@pytest.mark.parametrize("options", [{"patience": 0}, {"patience": 1, "mode": "auto"}])
def test_errors_are_reported(options):
    with pytest.raises(ValueError, match="StopWithoutProgress: (patience=0|mode='auto')"):
        StopWithoutProgress("val_top1", **options)
