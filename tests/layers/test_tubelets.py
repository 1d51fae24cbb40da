import keras
import numpy as np
import pytest

from keras_video.layers import LearnedPositions, SinePositions, TokenMap
from keras_video.layers.position_tables import linear_weights, resize_table, sine_table
from keras_video.layers.tubelets import tubelet_grid

pytestmark = pytest.mark.unit

X = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 6)).astype("float32")


def run(layer, x=X):
    return keras.ops.convert_to_numpy(layer(x))


def test_sines_are_of_the_index_among_all_tokens():
    tokens = run(SinePositions())
    added = tokens - X.reshape(2, 24, 6)
    for index in (0, 1, 13, 23):
        for channel in range(6):
            angle = index / 10000 ** (2 * (channel // 2) / 6)
            expected = np.cos(angle) if channel % 2 else np.sin(angle)
            np.testing.assert_allclose(added[:, index, channel], expected, atol=1e-5)


def test_sines_of_a_grid_are_interpolated_for_another():
    same = run(SinePositions((2, 3, 4)))
    np.testing.assert_array_equal(same, run(SinePositions()))
    added = run(SinePositions((2, 6, 8))) - X.reshape(2, 24, 6)
    expected = resize_table(sine_table(96, 6), (2, 6, 8), (2, 3, 4))
    np.testing.assert_allclose(added[0], expected, atol=1e-5)
    with pytest.raises(ValueError, match="time is not interpolated"):
        run(SinePositions((4, 3, 4)))


def test_tables_are_interpolated_per_axis():
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(1).normal(size=(3 * 4 * 5, 2)).astype("float32")
    images = torch.tensor(table.reshape(3, 4, 5, 2)).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(images, size=(6, 3), mode="bicubic")
    expected = resized.permute(0, 2, 3, 1).reshape(-1, 2).numpy()
    np.testing.assert_allclose(resize_table(table, (3, 4, 5), (3, 6, 3)), expected, atol=1e-5)
    line = torch.tensor(table.reshape(1, 3, -1)).permute(0, 2, 1)
    longer = torch.nn.functional.interpolate(line, size=7, mode="linear").permute(0, 2, 1)
    resized = resize_table(table, (3, 4, 5), (7, 4, 5))
    np.testing.assert_allclose(resized, longer.reshape(-1, 2).numpy(), atol=1e-5)


@pytest.mark.parametrize("sizes", [(4, 4), (3, 8), (8, 3), (1, 5)])
def test_weights_of_interpolation_sum_to_one(sizes):
    weights = linear_weights(*sizes)
    assert weights.shape == sizes[::-1]
    np.testing.assert_allclose(weights.sum(1), 1)


def test_learned_positions_follow_a_class_token():
    layer = LearnedPositions()
    layer.build(X.shape)
    layer.cls_token.assign(np.full((1, 1, 6), 5.0))
    table = np.array(layer.pos_embed)
    tokens = run(layer)
    np.testing.assert_allclose(tokens[:, 1:], X.reshape(2, 24, 6) + table[:, 1:], atol=1e-6)
    np.testing.assert_allclose(tokens[:, 0], np.tile(5 + table[:, 0], (2, 1)), atol=1e-6)


@pytest.mark.parametrize("grid", [(8, 4, 4), (16, 2, 2), (16, 14, 14)])
def test_learned_positions_are_fitted_over_time_and_space(grid):
    """A table whose values are its positions, which interpolation preserves in the interior."""
    layer = LearnedPositions()
    layer.build((None, 8, 6, 6, 3))
    axes = [(np.arange(size) + 0.5) / size for size in grid]
    table = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(1, -1, 3)
    token = np.full((1, 1, 3), 7.0)
    fitted = layer.fit_tensor("pos_embed", np.concatenate([token, table], 1).astype("float32"))
    assert fitted.shape == (1, 1 + 8 * 36, 3)
    np.testing.assert_array_equal(fitted[0, 0], 7)
    places = fitted[0, 1:].reshape(8, 6, 6, 3)
    assert (np.diff(places[..., 0], axis=0) >= 0).all()
    assert (np.diff(places[..., 1], axis=1) > 0).all()
    assert (np.diff(places[..., 2], axis=2) > 0).all()
    np.testing.assert_allclose(places.mean((0, 1, 2)), 0.5, atol=1e-5)


def test_a_table_of_an_unknown_grid_is_unchanged():
    layer = LearnedPositions()
    layer.build(X.shape)
    odd = np.zeros((1, 1 + 7, 6), "float32")
    assert layer.fit_tensor("pos_embed", odd) is odd


def test_features_are_a_map_of_the_tokens():
    tokens = X.reshape(2, 24, 6)
    np.testing.assert_array_equal(run(TokenMap(2, 3, 4), tokens), X)
    with_class = np.concatenate([np.zeros((2, 1, 6), "float32"), tokens], 1)
    np.testing.assert_array_equal(run(TokenMap(2, 3, 4), with_class), X)


def test_clips_are_whole_tubelets():
    assert tubelet_grid(keras.Input((8, 32, 48, 3)), (2, 16, 16)) == (4, 2, 3)
    for shape in ((7, 32, 32, 3), (8, 30, 32, 3), (None, 32, 32, 3)):
        with pytest.raises(ValueError, match=r"multiples of the tubelet's \(2, 16, 16\)"):
            tubelet_grid(keras.Input(shape), (2, 16, 16))
