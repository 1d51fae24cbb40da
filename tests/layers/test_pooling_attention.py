import keras
import numpy as np
import pytest

from keras_video.layers.pooling_attention import (
    PoolingAttention,
    PoolTokens,
    distance_rows,
    one_hot_positions,
)
from keras_video.layers.position_tables import linear_weights
from keras_video.layers.separate_positions import SeparateTokenEmbedding

pytestmark = pytest.mark.unit

SIZE = (2, 5, 4)


def tokens(width=8, size=SIZE, batch=2):
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, 1 + int(np.prod(size)), width)).astype("float32")


def value(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_distances_add_the_values_of_the_tables():
    """Against the sum over all pairs, written out."""
    layer = PoolingAttention(8, 2, SIZE, (1, 2, 2), (1, 1, 1))
    layer.build((None, 1 + 40, 8))
    for name, table in layer.tables.items():
        rng = np.random.default_rng(len(name) + ord(name[-1]))
        table.assign(rng.normal(size=table.shape))
    query = np.random.default_rng(1).normal(size=(1, 2, 1 + 2 * 3 * 2, 4)).astype("float32")
    terms = value(layer.distances(query)) @ one_hot_positions(SIZE).T
    np.testing.assert_array_equal(terms[:, :, 0], 0)
    np.testing.assert_array_equal(terms[:, :, :, 0], 0)
    queries, keys = np.indices((2, 3, 2)).reshape(3, -1), np.indices(SIZE).reshape(3, -1)
    expected = 0
    for axis, (name, (q, k)) in enumerate(zip(layer.tables, ((2, 2), (3, 5), (2, 4)), strict=True)):
        table = value(layer.tables[name])
        ratios = max(k / q, 1), max(q / k, 1)
        offsets = queries[axis][:, None] * ratios[0] - keys[axis][None] * ratios[1]
        rows = np.floor(offsets + (k - 1) * ratios[1] + 1e-6).astype(int)
        expected = expected + np.einsum("nhqc,qkc->nhqk", query[:, :, 1:], table[rows])
    np.testing.assert_allclose(terms[:, :, 1:, 1:], expected, rtol=1e-5, atol=1e-5)


def test_tables_have_the_published_lengths():
    """Table sides are halved rounding down, even where those of the map are rounded up."""
    layer = PoolingAttention(8, 1, (20, 39, 39), (1, 2, 2), (1, 2, 2), table_size=(20, 39, 39))
    assert layer.table_rows() == [39, 37, 37]
    layer.build((None, 1 + 20 * 39 * 39, 8))
    assert layer.query_size == (20, 20, 20)
    query = np.zeros((1, 1, 1 + 8000, 8), "float32")
    assert layer.distances(query).shape == (1, 1, 8001, 60)


def test_distances_of_different_sides():
    np.testing.assert_array_equal(distance_rows(3, 3), [[2, 1, 0], [3, 2, 1], [4, 3, 2]])
    np.testing.assert_array_equal(distance_rows(4, 2), [[2, 0], [3, 1], [4, 2], [5, 3]])
    np.testing.assert_array_equal(distance_rows(2, 4), [[3, 2, 1, 0], [5, 4, 3, 2]])


def test_a_table_of_another_length_is_interpolated():
    layer = PoolingAttention(8, 1, (2, 4, 4), (1, 1, 1))
    table = np.linspace(0, 1, 13, dtype="float32")[:, None] * np.ones(8, "float32")
    fitted = layer.fit_tensor("rel_pos_h", table)
    assert fitted.shape == (7, 8)
    assert np.all(np.diff(fitted[:, 0]) > 0)
    np.testing.assert_allclose(fitted[3], 0.5, atol=1e-6)
    assert layer.fit_tensor("rel_pos_h", fitted) is fitted


def test_linear_weights_are_those_of_pixel_centers():
    np.testing.assert_allclose(linear_weights(2, 4) @ [0, 1], [0, 0.25, 0.75, 1])
    np.testing.assert_allclose(linear_weights(4, 2) @ [0, 1, 2, 3], [0.5, 2.5])
    np.testing.assert_allclose(linear_weights(1, 3) @ [5], [5, 5, 5])
    np.testing.assert_array_equal(linear_weights(3, 3), np.eye(3))


def test_the_class_token_is_not_pooled():
    layer = PoolTokens(SIZE, (1, 2, 2))
    x = -np.abs(tokens()) - 1
    pooled = value(layer(x))
    np.testing.assert_array_equal(pooled[:, 0], x[:, 0])
    clip = x[:, 1:].reshape(2, *SIZE, 8)
    first = clip[:, 0, :2, :2].max(axis=(1, 2))  # padding is never the maximum
    np.testing.assert_array_equal(pooled[:, 1], first)
    assert pooled.shape == (2, 1 + 2 * 3 * 2, 8)


def test_positions_of_another_size_are_interpolated():
    layer = SeparateTokenEmbedding(True, (2, 2, 2))
    x = np.zeros((1, 4, 3, 2, 4), "float32")
    y = value(layer(x))
    places = value(layer.pos_embed["spatial"]).reshape(2, 2, 4)
    times = value(layer.pos_embed["temporal"])[0]
    over_rows = np.einsum("ri,icw->rcw", linear_weights(2, 3), places)
    expected = (linear_weights(2, 4) @ times)[:, None, None] + over_rows
    np.testing.assert_allclose(y[0, 1:], expected.reshape(-1, 4), atol=1e-6)
    table = np.arange(9 * 4, dtype="float32").reshape(1, 9, 4)
    assert layer.fit_tensor("pos_embed_spatial", table).shape == (1, 4, 4)
    assert layer.fit_tensor("pos_embed_temporal", table).shape == (1, 2, 4)


@pytest.mark.parametrize("relative", [True, False])
def test_config_round_trip(relative):
    layer = PoolingAttention(16, 2, SIZE, None, (1, 2, 2), relative, (2, 8, 8), name="attn")
    again = PoolingAttention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert layer(tokens()).shape == layer.compute_output_shape((2, 41, 8))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="10 can not be divided among 3"):
        PoolingAttention(10, 3, SIZE)
