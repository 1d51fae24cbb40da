import keras
import pytest

from keras_video.layers.factorized import equal_width, factorized_bn
from keras_video.layers.stride_frames import StrideFrames

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("channels", "filters", "space", "width"),
    [(3, 64, (7, 7), 83), (64, 64, (3, 3), 144), (64, 128, (3, 3), 230), (64, 128, (1, 1), 54)],
)
def test_width_matches_the_parameters(channels, filters, space, width):
    assert equal_width(channels, filters, space) == width
    area = space[0] * space[1]
    factorized = width * (channels * area + 3 * filters)
    full = 3 * channels * filters * area
    assert full - (channels * area + 3 * filters) < factorized <= full


def test_space_comes_before_time():
    inputs = keras.Input((8, 16, 16, 3))
    model = keras.Model(inputs, factorized_bn(inputs, 4, 3, (2, 2, 2), width=5, name="conv1"))
    assert model.output_shape == (None, 4, 8, 8, 4)
    assert model.get_layer("conv1_conv_conv_s").kernel.shape == (1, 3, 3, 3, 5)
    assert model.get_layer("conv1_conv_conv_t").kernel.shape == (3, 1, 1, 5, 4)
    assert model.get_layer("conv1_conv_bn_s").epsilon == 1e-5
    assert model.get_layer("conv1_bn").epsilon == 1e-3


@pytest.mark.parametrize(("frames", "kept"), [(8, [0, 4]), (9, [0, 4]), (3, [])])
def test_frames_of_complete_groups_are_kept(frames, kept):
    clip = keras.ops.reshape(keras.ops.arange(frames), (1, frames, 1))
    layer = StrideFrames(4)
    out = keras.ops.convert_to_numpy(layer(clip))[0, :, 0]
    assert out.tolist() == kept
    assert layer.compute_output_shape((1, frames, 1)) == (1, len(kept), 1)
