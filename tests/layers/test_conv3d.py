"""The forms of convolution that JAX uses on GPUs, compared with Keras' own."""

import keras
import numpy as np
import pytest

from keras_video.layers import conv3d

CLIP = np.random.default_rng(0).normal(size=(2, 9, 12, 10, 3)).astype("float32")


def layer_of(kernel_size, strides, padding, layer_class=keras.layers.Conv3D):
    keras.utils.set_random_seed(0)
    return layer_class(5, kernel_size, strides, padding)


@pytest.mark.parametrize("size", [(2, 4, 5), (3, 3, 2), (1, 4, 4), (2, 5, 3)])
def test_tiles_are_convolved_by_matmul(size):
    layer = layer_of(size, size, "valid")
    expected = layer(CLIP) - layer.bias
    np.testing.assert_allclose(conv3d.conv_by_matmul(CLIP, layer.kernel), expected, atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("size", "strides"),
    [
        ((5, 3, 3), (1, 2, 2)),
        ((3, 5, 5), (2, 2, 2)),
        ((2, 3, 1), (1, 1, 1)),
        ((3, 3, 3), (4, 1, 1)),
    ],
)
def test_frames_under_the_kernel_become_channels(size, strides, padding):
    layer = layer_of(size, strides, padding)
    expected = layer(CLIP) - layer.bias
    outputs = conv3d.conv_by_stacked_frames(CLIP, layer.kernel, layer.strides, padding)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "strides", "channels", "form"),
    [
        ((2, 4, 5), (2, 4, 5), 3, "conv_by_matmul"),
        ((2, 4, 5), (2, 4, 5), 8, "conv_by_matmul"),
        ((5, 3, 3), (1, 2, 2), 3, "conv_by_stacked_frames"),
        ((5, 3, 3), (1, 2, 2), 8, None),
        ((1, 3, 3), (1, 2, 2), 3, None),
    ],
)
def test_each_form_is_used_where_it_is_faster(size, strides, channels, form, monkeypatch):
    calls = []

    def recorded(name):
        function = getattr(conv3d, name)
        return lambda *arguments: calls.append(name) or function(*arguments)

    for name in ("conv_by_matmul", "conv_by_stacked_frames"):
        monkeypatch.setattr(conv3d, name, recorded(name))
    clip = np.random.default_rng(1).normal(size=(1, 9, 12, 10, channels)).astype("float32")
    layer = layer_of(size, strides, "valid", conv3d.Conv3D)
    plain = layer(clip)
    assert not calls
    monkeypatch.setattr(conv3d, "on_jax_gpu", lambda: True)
    np.testing.assert_allclose(layer(clip), plain, atol=1e-5)
    assert calls == [form] * (form is not None)


def test_dilation_and_groups_are_left_to_keras(monkeypatch):
    monkeypatch.setattr(conv3d, "on_jax_gpu", lambda: True)
    for options in ({"dilation_rate": (1, 2, 2)}, {"groups": 3, "filters": 6}):
        layer = conv3d.Conv3D(**{"filters": 6, "kernel_size": 3} | options)
        expected = keras.layers.Conv3D.from_config(layer.get_config())
        expected.build(CLIP.shape)
        outputs = layer(CLIP)
        expected.set_weights(layer.get_weights())
        np.testing.assert_allclose(outputs, expected(CLIP), atol=1e-5)


def test_files_of_weights_fit_keras_own_layer(tmp_path):
    inputs = keras.Input(CLIP.shape[1:])
    ours = keras.Model(inputs, conv3d.Conv3D(4, 3, name="stem")(inputs))
    plain = keras.Model(inputs, keras.layers.Conv3D(4, 3, name="stem")(inputs))
    plain.save_weights(tmp_path / "plain.weights.h5")
    ours.load_weights(tmp_path / "plain.weights.h5")
    np.testing.assert_array_equal(ours.predict(CLIP, verbose=0), plain.predict(CLIP, verbose=0))
    again = keras.models.clone_model(ours)
    assert type(again.get_layer("stem")) is conv3d.Conv3D
