import keras
import numpy as np
import pytest

from keras_video.layers.batch_norm import BatchNormalization
from keras_video.training.shared_statistics import SharedNormStatistics

pytestmark = pytest.mark.unit


class Strategy:
    """A strategy with another worker, whose statistics exceed those of this one by 2."""

    def mean_over_workers(self, arrays):
        return [array + 1 for array in arrays]


def test_trained_norms_take_the_mean_and_nothing_else_changes():
    inner = keras.Sequential([BatchNormalization(name="inner"), keras.layers.Dropout(0.5)])
    inputs = keras.Input((3,))
    x = inner(keras.layers.BatchNormalization(name="first")(inputs))
    x = keras.layers.Dense(2)(BatchNormalization(name="frozen", trainable=False)(x))
    model = keras.Model(inputs, x)
    before = {variable.path: np.array(variable) for variable in model.variables}
    callback = SharedNormStatistics(Strategy())
    callback.set_model(model)
    callback.on_epoch_end(0)
    moved = {v.path for v in model.variables if not np.array_equal(before[v.path], np.array(v))}
    assert {path.split("/", 1)[-1] for path in moved} >= {"moving_mean", "moving_variance"}
    assert len(moved) == 4 and all("first" in path or "inner" in path for path in moved)
    for path in moved:
        variable = next(v for v in model.variables if v.path == path)
        np.testing.assert_array_equal(np.array(variable), before[path] + 1)


def test_a_model_without_norms_needs_no_reduction():
    callback = SharedNormStatistics(None)
    callback.set_model(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    callback.on_epoch_end(0)
