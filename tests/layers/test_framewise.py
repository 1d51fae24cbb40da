import keras
import numpy as np
import pytest
from keras import layers

from keras_video.layers.framewise import FramewiseConv3D, framewise_conv_bn
from tests.layers.compare import close


@pytest.mark.parametrize(
    ("kernel_size", "strides", "shape"),
    [
        ((1, 7, 7), (1, 2, 2), (3, 9, 8, 3)),
        ((5, 7, 7), (1, 2, 2), (6, 8, 9, 3)),
        ((5, 3, 3), (1, 1, 1), (2, 4, 5, 2)),
        ((5, 3, 3), (1, 1, 1), (1, 4, 5, 2)),
    ],
    ids=str,
)
def test_equals_the_convolution_over_clips(kernel_size, strides, shape):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    ours = FramewiseConv3D(4, kernel_size, strides, bias_initializer="normal")
    found = ours(x)
    plain = layers.Conv3D(4, kernel_size, strides, padding="valid")
    half = [(size // 2, size // 2) for size in kernel_size]
    padded = np.pad(x, [(0, 0), *half, (0, 0)])
    plain.build(padded.shape)
    plain.set_weights(ours.get_weights())
    close(found, plain(padded), 1e-5)
    assert ours.compute_output_shape(x.shape) == tuple(found.shape)


def test_open_sizes_and_the_way_to_a_file():
    clip = keras.Input((None, None, None, 3))
    model = keras.Model(clip, framewise_conv_bn(clip, 4, (3, 5, 5), (1, 2, 2), name="conv1"))
    assert [layer.name for layer in model.layers[1:]] == ["conv1_conv", "conv1_bn", "conv1_relu"]
    x = np.random.default_rng(0).normal(size=(1, 4, 9, 7, 3)).astype("float32")
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    close(again(x), model(x), 1e-6)
    assert again(x).shape == (1, 4, 5, 4, 4)


def test_a_stride_over_time_is_refused():
    with pytest.raises(ValueError, match=r"strides=\(2, 1, 1\): expected 1 over time"):
        FramewiseConv3D(4, 3, (2, 1, 1))
