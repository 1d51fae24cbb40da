"""Layers computed differently on JAX and torch, compared with the plain form; run by a test."""

import keras
import numpy as np

from keras_video.layers import (
    StridedPointwiseConv3D,
    conv3d,
    depthwise,
    space_time_attention,
    temporal_shift,
)
from keras_video.layers.dense import gelu


def largest_difference(first, second):
    """The largest difference of two tensors."""
    first, second = map(keras.ops.convert_to_numpy, (first, second))
    assert first.shape == second.shape
    return np.abs(first - second).max()


def attention():
    """Fused attention along both axes of patches and along tokens, also with unknown batch size."""
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
        assert largest_difference(fused, plain) < 1e-5


def strided_convolution():
    clips = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 3)).astype("float32")
    for strides in ((1, 2, 2), (2, 2, 2), (2, 1, 3)):
        plain, ours = keras.layers.Conv3D(4, 1, strides), StridedPointwiseConv3D(4, 1, strides)
        expected = plain(clips)
        ours.build(clips.shape)
        ours.set_weights(plain.get_weights())
        assert largest_difference(ours(clips), expected) < 1e-5


def depthwise_convolution():
    """Training on a (simulated) GPU gives the same outputs as inference."""
    depthwise.on_gpu = lambda: True
    clips = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 3)).astype("float32")
    for kernel, strides, padding in (
        (3, 1, "centered"),
        ((3, 3, 3), (1, 2, 2), "centered"),
        ((5, 1, 1), (2, 1, 1), "centered"),
        ((1, 5, 5), (1, 2, 2), "same"),
    ):
        layer = depthwise.DepthwiseConv3D(kernel, strides, padding=padding)
        assert largest_difference(layer(clips, training=True), layer(clips, training=False)) < 1e-5


def convolution_of_clips():
    """On a (simulated) GPU, same outputs as Keras' own layer."""
    conv3d.on_jax_gpu = lambda: True
    clips = np.random.default_rng(0).normal(size=(2, 7, 8, 6, 3)).astype("float32")
    for size, strides, padding in (
        ((2, 4, 3), (2, 4, 3), "valid"),
        ((5, 3, 3), (1, 2, 2), "valid"),
        ((3, 3, 3), (2, 1, 1), "same"),
    ):
        plain = keras.layers.Conv3D(4, size, strides, padding)
        ours = conv3d.Conv3D(4, size, strides, padding)
        expected = plain(clips)
        ours.build(clips.shape)
        ours.set_weights(plain.get_weights())
        assert largest_difference(ours(clips), expected) < 1e-5


def temporal_shift_of_frames():
    """On a (simulated) GPU, same outputs as elsewhere."""
    frames = np.random.default_rng(0).normal(size=(6, 4, 5, 16)).astype("float32")
    for online in (False, True):
        layer = temporal_shift.TemporalShift(3, online=online)
        expected = layer(frames)
        temporal_shift.on_jax_gpu = lambda: True
        assert largest_difference(layer(frames), expected) == 0
        temporal_shift.on_jax_gpu = lambda: False


def exact_gelu():
    x = np.linspace(-9, 9, 1001).astype("float32")
    assert np.abs(np.array(gelu(x)) - np.array(keras.ops.gelu(x, approximate=False))).max() < 1e-6
    assert gelu(keras.ops.cast(x, "bfloat16")).dtype == keras.ops.cast(x, "bfloat16").dtype


if __name__ == "__main__":
    convolution_of_clips()
    temporal_shift_of_frames()
    exact_gelu()
    attention()
    strided_convolution()
    depthwise_convolution()
