import keras
import numpy as np
import pytest

from keras_video.layers.sliding_mean import SlidingMean

pytestmark = pytest.mark.unit

CLIP = np.random.default_rng(0).normal(size=(2, 5, 9, 8, 3)).astype("float32")


def slid(x, window):
    """The mean of every window, computed one at a time."""
    places = [range(length - size + 1) for length, size in zip(x.shape[1:4], window, strict=True)]
    means = np.empty((len(x), *map(len, places), x.shape[-1]), x.dtype)
    for t in places[0]:
        for row in places[1]:
            for column in places[2]:
                box = x[:, t : t + window[0], row : row + window[1], column : column + window[2]]
                means[:, t, row, column] = box.mean((1, 2, 3))
    return means


@pytest.mark.parametrize("window", [(2, 7, 7), (1, 3, 2), (5, 1, 8)], ids=str)
def test_is_the_mean_of_every_window(window):
    layer = SlidingMean(window)
    output = keras.ops.convert_to_numpy(layer(CLIP))
    np.testing.assert_allclose(output, slid(CLIP, window), rtol=1e-4, atol=1e-6)
    assert layer.compute_output_shape(CLIP.shape) == output.shape


def test_a_window_is_cut_to_a_smaller_clip():
    output = keras.ops.convert_to_numpy(SlidingMean((2, 7, 12))(CLIP))
    np.testing.assert_allclose(output, slid(CLIP, (2, 7, 8)), rtol=1e-4, atol=1e-6)


def test_unknown_axes():
    clip = keras.Input((None, None, None, 3))
    model = keras.Model(clip, SlidingMean((2, 7, 7))(clip))
    assert model.output_shape == (None, None, None, None, 3)
    output = model.predict(CLIP, verbose=0)
    np.testing.assert_allclose(output, slid(CLIP, (2, 7, 7)), rtol=1e-4, atol=1e-6)


def test_is_saved_with_its_window():
    layer = SlidingMean.from_config(SlidingMean((2, 7, 7)).get_config())
    assert layer.window == (2, 7, 7)
