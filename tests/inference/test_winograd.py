import keras
import numpy as np
import pytest
from keras import layers

from keras_video.inference import compile_frozen, fold_batch_norm, winograd_model
from keras_video.layers import WinogradConv
from keras_video.layers.fold import FoldTime
from tests.applications import families
from tests.applications.families import randomize


def changed(model):
    return [layer.name for layer in model.layers if isinstance(layer, WinogradConv)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tsn", "c3d", "i3d", "slowonly", "r2plus1d"])
def test_families_keep_their_logits(name):
    with families.small_ones_filtered():
        assert changed(families.check_equal_model(name, winograd_model))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tsn", "c3d", "i3d", "slowonly", "r2plus1d"])
def test_small_clips_are_unchanged(name):
    small = families.check_equal_model(name, winograd_model)
    # C3D's last stages have enough kernels for clips of any size.
    assert len(changed(small)) <= (2 if name == "c3d" else 0)


def convolution(kernel_size, shape=(8, 28, 28), channels=128, **arguments):
    """Names of the replaced layers in a model of one convolution."""
    inputs = keras.Input((*shape, channels))
    layer = layers.Conv2D if len(kernel_size) == 2 else layers.Conv3D
    arguments = {"filters": channels, "padding": "same", "name": "one", **arguments}
    return changed(
        winograd_model(keras.Model(inputs, layer(**arguments, kernel_size=kernel_size)(inputs)))
    )


def test_convolutions_that_change():
    assert convolution((3, 3, 3), (8, 14, 14)) == ["one"]
    assert convolution((3, 3, 3), (8, 28, 28), 64) == ["one"]
    assert convolution((3, 3), (14, 14), 512) == ["one"]
    assert convolution((3, 3), (4, None), 128) == ["one"]
    assert convolution((3, 1, 1), (8, 14, 14), 512) == ["one"]


def test_frames_count_where_they_are_folded_into_the_batch():
    def network(frames):
        clip = keras.Input((frames, 14, 14, 256))
        folded = FoldTime()(clip)
        return keras.Model(clip, layers.Conv2D(256, 3, padding="same", name="one")(folded))

    assert changed(winograd_model(network(8))) == ["one"]
    assert changed(winograd_model(network(1))) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (1, 1, 1)},
        {"kernel_size": (5, 1, 1)},
        {"kernel_size": (3, 3, 3), "strides": (1, 2, 2)},
        {"kernel_size": (3, 3, 3), "padding": "valid"},
        {"kernel_size": (3, 3), "shape": (99, 99), "dilation_rate": 2},
        {"kernel_size": (3, 3), "shape": (99, 99), "groups": 2},
        {"kernel_size": (3, 3), "shape": (99, 99), "filters": 127},
        {"kernel_size": (3, 3), "shape": (None, 99)},
        {"kernel_size": (3, 3), "shape": (99, 99), "dtype": "mixed_bfloat16"},
        {"kernel_size": (3, 3), "shape": (28, 28)},
        {"kernel_size": (3, 3, 3), "shape": (4, 7, 7)},
        {"kernel_size": (3, 1, 1)},
        {"kernel_size": (3, 1, 1), "shape": (3, 99, 99), "channels": 512},
    ],
    ids=str,
)
def test_convolutions_that_are_unchanged(arguments):
    assert not convolution(**arguments)


def test_folded_and_frozen_models():
    inputs = keras.Input((4, 6, 7, 64))
    x = layers.Conv3D(64, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    model = keras.Model(inputs, x)
    randomize(model)
    with families.small_ones_filtered():
        fast = winograd_model(fold_batch_norm(model))
    assert len(changed(fast)) == 1
    clip = np.random.default_rng(0).normal(size=(1, 4, 6, 7, 64)).astype("float32")
    expected = model.predict_on_batch(clip)
    np.testing.assert_allclose(
        compile_frozen(fast)(clip), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )


def test_nested_models():
    inner_input = keras.Input((6, 6, 64))
    inner = keras.Model(inner_input, layers.Conv2D(64, 3, padding="same")(inner_input), name="in")
    inputs = keras.Input((6, 6, 64))
    with families.small_ones_filtered():
        fast = winograd_model(keras.Model(inputs, inner(inputs)))
        assert len(changed(fast.get_layer("in"))) == 1
        assert len(changed(winograd_model(fast).get_layer("in"))) == 1


def test_another_kind_of_model_is_rejected():
    class Other(keras.Model):
        pass

    with pytest.raises(ValueError, match="winograd_model: expected a functional model"):
        winograd_model(Other())
