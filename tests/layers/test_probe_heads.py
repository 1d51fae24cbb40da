import keras
import numpy as np
import pytest

from keras_video.layers import NearestNeighbors, QueryPooling, Standardize

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(3, 5, 8)).astype("float32")


def array(x):
    return keras.ops.convert_to_numpy(x)


def test_initial_queries_are_the_mean():
    pooled = QueryPooling(2)(TOKENS)
    np.testing.assert_allclose(array(pooled), TOKENS.mean(1), atol=1e-6)


def test_each_query_gathers_its_part_of_the_channels():
    layer = QueryPooling(2)
    layer.build(TOKENS.shape)
    query, position = RNG.normal(size=(8, 2)), RNG.normal(size=(5, 2))
    layer.set_weights([query, position])
    scores = TOKENS @ query / 8**0.5 + position
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    parts = [
        np.einsum("bt,btc->bc", weights[..., h], TOKENS[..., 4 * h : 4 * h + 4]) for h in (0, 1)
    ]
    np.testing.assert_allclose(array(layer(TOKENS)), np.concatenate(parts, 1), atol=1e-5)


def test_invalid_queries_are_rejected():
    with pytest.raises(ValueError, match="queries=3"):
        QueryPooling(3)(TOKENS)
    with pytest.raises(ValueError, match="unknown number of tokens"):
        QueryPooling(2)(keras.Input((None, 8)))
    assert QueryPooling(2, positions=False)(keras.Input((None, 8))).shape == (None, 8)


def test_standardizing():
    layer = Standardize()
    layer.build((None, 8))
    layer.set_weights([np.full(8, 2.0), np.full(8, 4.0)])
    np.testing.assert_allclose(array(layer(TOKENS)), (TOKENS - 2) / 4, atol=1e-6)
    assert not layer.trainable_variables


def test_nearest_examples_vote():
    keys = RNG.normal(size=(6, 4)).astype("float32")
    votes = np.eye(3)[[0, 1, 2, 0, 1, 2]] * np.array([1, 1, 1, 2, 1, 1])[:, None]
    layer = NearestNeighbors(3, 6, neighbors=2, temperature=0.5)
    layer.build((None, 4))
    layer.set_weights([keys, votes])
    x = RNG.normal(size=(5, 4)).astype("float32")
    fractions = keras.ops.softmax(layer(x))

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    similar = unit(x) @ unit(keys).T
    for row, fraction in zip(similar, array(fractions), strict=True):
        best = np.argsort(-row)[:2]
        expected = (np.exp(row[best] / 0.5)[:, None] * votes[best]).sum(0)
        np.testing.assert_allclose(fraction, expected / expected.sum(), atol=1e-5)


def test_more_neighbors_than_examples_means_all_examples():
    layer = NearestNeighbors(2, 2, neighbors=9)
    assert layer(np.zeros((1, 4), "float32")).shape == (1, 2)


@pytest.mark.parametrize(
    "layer", [Standardize(), QueryPooling(2), NearestNeighbors(3, 6)], ids=lambda layer: layer.name
)
def test_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
