import keras
import numpy as np
import pytest
from keras import ops

from keras_video.layers import DropPathway

pytestmark = pytest.mark.unit


def test_drops_all_inputs_of_a_step_or_none():
    layer = DropPathway(0.8, seed=0)
    inputs = {"a": ops.ones((4, 2)), "b": 3 * ops.ones((4, 5, 1))}
    kept = 0
    for _ in range(200):
        outputs = {key: ops.convert_to_numpy(x) for key, x in layer(inputs, training=True).items()}
        values = {value for x in outputs.values() for value in np.unique(x)}
        assert values in ({0.0}, {1.0, 3.0})
        kept += values == {1.0, 3.0}
    # A fifth of the draws, within four standard deviations; kept values are not scaled.
    assert 17 <= kept <= 63


def test_does_nothing_when_not_training():
    layer = DropPathway(0.8)
    x = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    for y in (layer(x), layer(x, training=False), DropPathway(0.0)(x, training=True)):
        np.testing.assert_array_equal(ops.convert_to_numpy(y), x)


def test_round_trips_through_its_config():
    layer = DropPathway.from_config(DropPathway(0.25, seed=3, name="drop").get_config())
    assert (layer.rate, layer.seed, layer.name) == (0.25, 3, "drop")
    a, b = keras.Input((2,)), keras.Input((3, 1))
    assert [x.shape for x in layer([a, b])] == [(None, 2), (None, 3, 1)]


@pytest.mark.parametrize("rate", [-0.1, 1])
def test_rejects_rates_out_of_range(rate):
    with pytest.raises(ValueError, match="expected a number in"):
        DropPathway(rate)
