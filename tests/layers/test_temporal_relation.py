import itertools

import keras
import numpy as np
import pytest

from keras_video.layers import MultiScaleRelation, TemporalRelation
from keras_video.layers.temporal_relation import draw_picks

pytestmark = pytest.mark.unit

FEATURES = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")


def values(tensor):
    return keras.ops.convert_to_numpy(tensor)


def relate(relation, frames):
    """The output of a relation for frames `(batch, size, features)`, in NumPy."""
    x = np.maximum(frames.reshape(len(frames), -1), 0)
    x = np.maximum(x @ values(relation.reduce.kernel) + values(relation.reduce.bias), 0)
    return x @ values(relation.classify.kernel) + values(relation.classify.bias)


def test_relations_are_summed_over_all_scales_and_picks():
    layer = MultiScaleRelation(4, classes=3, hidden=6, picks=[[1, 3], [0, 2, 5]])
    y = values(layer(FEATURES))
    expected = relate(layer.relations[0], FEATURES)
    for relation, size, chosen in zip(layer.relations[1:], (3, 2), layer.picks, strict=True):
        every = list(itertools.combinations(range(4), size))
        for position in chosen:
            expected = expected + relate(relation, FEATURES[:, every[position]])
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_plain_relation_reads_all_frames_in_order():
    layer = TemporalRelation(classes=3, hidden=6)
    y = values(layer(FEATURES))
    np.testing.assert_allclose(y, relate(layer, FEATURES), rtol=1e-4, atol=1e-5)
    assert np.abs(y - values(layer(FEATURES[:, ::-1]))).max() > 1e-3


def test_inference_is_deterministic_and_training_random():
    layer = MultiScaleRelation(6, classes=2, hidden=6)
    x = np.random.default_rng(1).normal(size=(1, 6, 5)).astype("float32")
    np.testing.assert_array_equal(values(layer(x)), values(layer(x)))
    drawn = {values(layer(x, training=True)).tobytes() for _ in range(6)}
    assert len(drawn) > 3


def test_training_draws_three_distinct_tuples():
    layer = MultiScaleRelation(6, classes=2)
    for _ in range(20):
        tuples = values(layer.tuples(3, [0], training=True))
        assert tuples.shape == (3, 3)
        assert len({tuple(frames) for frames in tuples}) == 3
        assert np.all(np.diff(tuples, axis=1) > 0)


def test_picks_depend_on_the_seed():
    assert draw_picks(8, 1) == draw_picks(8, 1)
    assert draw_picks(8, 1) != draw_picks(8, 2)
    assert [len(chosen) for chosen in draw_picks(8, 0)] == [3] * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 1}, "at least 2"),
        ({"frames": 4, "picks": [[0]]}, "one for each of"),
        ({"frames": 4, "picks": [[0], [6]]}, "from 0 to 5"),
        ({"frames": 4, "picks": [[0], []]}, "from 0 to 5"),
    ],
)
def test_invalid_arguments_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiScaleRelation(classes=2, **arguments)


@pytest.mark.parametrize(
    "layer",
    [MultiScaleRelation(5, 3, hidden=4, seed=7), TemporalRelation(3, hidden=4)],
    ids=["multi_scale", "plain"],
)
def test_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
