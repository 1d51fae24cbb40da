"""Layers that compute otherwise on JAX and torch, against the plain form; run by a test."""

import keras
import numpy as np

from keras_video.layers import StridedPointwiseConv3D, depthwise, space_time_attention


def worst(first, second):
    """The largest difference of two tensors."""
    first, second = map(keras.ops.convert_to_numpy, (first, second))
    assert first.shape == second.shape
    return np.abs(first - second).max()


def attention():
    """Fused attention, along both axes of patches and along tokens, also of an open batch."""
    rng = np.random.default_rng(0)
    for shape, axis in (((2, 3, 70, 48), 1), ((2, 3, 70, 48), 2), ((2, 70, 48), 1)):
        x = rng.normal(size=shape).astype("float32")
        layer = space_time_attention.SelfAttention(4, axis=axis)
        model = keras.Sequential([keras.Input(shape[1:]), layer])
        for variable in layer.weights:
            variable.assign(rng.normal(0, 0.3, variable.shape))
        queries, keys, values = layer.project(x)
        space_time_attention.LEAST_FUSED = 1
        fused = layer.attended(queries, keys, values)
        assert model.output_shape == (None, *shape[1:])
        plain = keras.ops.matmul(layer.compare(queries, keys), values)
        assert worst(fused, plain) < 1e-5


def strided_convolution():
    clips = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 3)).astype("float32")
    for strides in ((1, 2, 2), (2, 2, 2), (2, 1, 3)):
        plain, ours = keras.layers.Conv3D(4, 1, strides), StridedPointwiseConv3D(4, 1, strides)
        expected = plain(clips)
        ours.build(clips.shape)
        ours.set_weights(plain.get_weights())
        assert worst(ours(clips), expected) < 1e-5


def depthwise_convolution():
    """In training on a GPU, which is pretended here, as at inference."""
    depthwise.on_gpu = lambda: True
    clips = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 3)).astype("float32")
    for kernel, strides, padding in (
        (3, 1, "centered"),
        ((3, 3, 3), (1, 2, 2), "centered"),
        ((5, 1, 1), (2, 1, 1), "centered"),
        ((1, 5, 5), (1, 2, 2), "same"),
    ):
        layer = depthwise.DepthwiseConv3D(kernel, strides, padding=padding)
        assert worst(layer(clips, training=True), layer(clips, training=False)) < 1e-5


if __name__ == "__main__":
    attention()
    strided_convolution()
    depthwise_convolution()
