import keras
import numpy as np
import pytest

from keras_video.layers.grouped import GroupedTemporalConv
from keras_video.layers.pyramid import MaxOfFrames
from tests.layers.compare import close

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_grouped_convolution_equals_the_definition(kernel_size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 2, 3, 6)).astype("float32")
    layer = GroupedTemporalConv(9, kernel_size, groups=3, use_bias=True)
    layer.build(x.shape)
    kernel = rng.normal(size=layer.kernel.shape).astype("float32")
    bias = rng.normal(size=9).astype("float32")
    layer.set_weights([kernel, bias])
    half = kernel_size // 2
    padded = np.pad(x, [(0, 0), (half, half), (0, 0), (0, 0), (0, 0)])
    expected = np.zeros((2, 4, 2, 3, 9)) + bias
    for position in range(kernel_size):
        for group in range(3):
            window = padded[:, position : position + 4, ..., 2 * group : 2 * group + 2]
            out = slice(3 * group, 3 * group + 3)
            expected[..., out] += window @ kernel[position, 0, 0, :, out]
    close(layer(x), expected, 1e-5)


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match="groups=4"):
        GroupedTemporalConv(8, groups=4)(np.zeros((1, 1, 1, 1, 6), "float32"))


@pytest.mark.parametrize("frames", [1, 7, 8, 12])
@pytest.mark.parametrize("open_frames", [False, True])
def test_maximum_of_frames_with_a_short_last_group(frames, open_frames):
    x = np.random.default_rng(0).normal(size=(2, frames, 2, 2, 3)).astype("float32") - 5
    inputs = keras.Input((None if open_frames else frames, 2, 2, 3))
    model = keras.Model(inputs, MaxOfFrames(8)(inputs))
    expected = [x[:, start : start + 8].max(1) for start in range(0, frames, 8)]
    close(model(x), np.stack(expected, 1), 1e-6)
