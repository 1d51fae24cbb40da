"""Specialized convolutions give the same results as Keras' plain ones."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_video.layers import StridedPointwiseConv3D
from tests.layers.compare import close, gradients

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("strides", [(1, 2, 2), (2, 2, 2), (2, 1, 1), (3, 2, 1)])
def test_a_strided_pointwise_convolution_equals_the_plain_one(strides):
    random = np.random.default_rng(0)
    clips = random.normal(size=(2, 5, 7, 6, 3)).astype("float32")
    weights = [random.normal(size=shape).astype("float32") for shape in ((1, 1, 1, 3, 4), (4,))]
    plain, ours = layers.Conv3D(4, 1, strides), StridedPointwiseConv3D(4, 1, strides)
    for layer in (plain, ours):
        layer.build(clips.shape)
        layer.set_weights(weights)
    assert ours.compute_output_shape(clips.shape) == plain(clips).shape
    close(ours(clips), plain(clips), 1e-6)
    received, expected = (
        gradients(layer.convolution_op, clips, weights[0]) for layer in (ours, plain)
    )
    close(received[0], expected[0], 1e-6)
    close(received[1], expected[1], 1e-6)


def test_a_strided_pointwise_convolution_is_reloaded():
    model = keras.Sequential([keras.Input((5, 7, 6, 3)), StridedPointwiseConv3D(4, 1, (1, 2, 2))])
    again = keras.models.model_from_json(model.to_json())
    assert type(again.layers[0]) is StridedPointwiseConv3D
    assert again.output_shape == model.output_shape == (None, 5, 4, 3, 4)


def test_a_pointwise_convolution_rejects_larger_kernels():
    with pytest.raises(ValueError, match=r"kernel_size=\(1, 3, 3\): expected 1"):
        StridedPointwiseConv3D(4, (1, 3, 3), (1, 2, 2))
