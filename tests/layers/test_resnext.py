import keras
import numpy as np
import pytest

from keras_video.layers.resnext import GroupedConv2D

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("channels", "groups"), [(128, 32), (96, 3), (256, 2), (12, 12)])
def test_groups_depend_only_on_their_own_channels(channels, groups):
    keras.utils.set_random_seed(0)
    layer = GroupedConv2D(channels, 3, groups=groups, use_bias=False)
    x = np.random.default_rng(0).normal(size=(2, 6, 5, channels)).astype("float32")
    y = keras.ops.convert_to_numpy(layer(x))
    kernels = np.split(keras.ops.convert_to_numpy(layer.kernel), groups, axis=-1)
    parts = [
        keras.ops.convert_to_numpy(keras.ops.conv(part, kernel, data_format="channels_last"))
        for part, kernel in zip(np.split(x, groups, axis=-1), kernels, strict=True)
    ]
    np.testing.assert_allclose(y, np.concatenate(parts, axis=-1), rtol=1e-4, atol=1e-4)


def test_config_round_trip():
    layer = GroupedConv2D(8, 3, strides=2, groups=4, name="conv")
    again = GroupedConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.groups, again.strides) == (4, (2, 2))
