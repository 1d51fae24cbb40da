import keras
import numpy as np
import pytest
from keras import layers

from keras_video.applications.csn import CSN
from tests import reference
from tests.applications.parity import assert_equals_the_original


def compared_layers(*blocks):
    stages = {f"layer{s + 1}": f"layer{s + 1}_{n - 1}_relu" for s, n in enumerate(blocks)}
    return {"conv1": "conv1_relu", "maxpool": "maxpool", **stages}


def test_interaction_reduced_equals_the_original():
    assert_equals_the_original("ircsn_r50", CSN, compared_layers(3, 4, 6, 3))


def test_interaction_preserved_equals_the_original():
    arguments = {"depth": 152, "mode": "ip"}
    assert_equals_the_original("ipcsn_r152", CSN, compared_layers(3, 8, 36, 3), **arguments)


def test_parameters_of_the_deep_network():
    model = CSN(depth=152, input_shape=(8, 32, 32, 3))
    assert reference.learned(model) == 29703568


def test_frozen_norms_stay_in_training():
    model = CSN(input_shape=(8, 32, 32, 3), classes=2, freeze_norm=True)
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    before = [norm.get_weights() for norm in norms]
    model.compile("sgd", "sparse_categorical_crossentropy")
    clips = np.random.default_rng(0).normal(size=(2, 8, 32, 32, 3)).astype("float32")
    kernel = keras.ops.convert_to_numpy(model.get_layer("layer1_0_conv2_0_conv").kernel)
    model.train_on_batch(clips, np.array([0, 1]))
    for norm, values in zip(norms, before, strict=True):
        for old, new in zip(values, norm.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    trained = keras.ops.convert_to_numpy(model.get_layer("layer1_0_conv2_0_conv").kernel)
    assert not np.array_equal(kernel, trained)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"mode": "xy"}, "mode='xy'"), ({"depth": 34}, "depth=34")], ids=str
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        CSN(input_shape=(8, 32, 32, 3), **arguments)


def test_the_norms_epsilon_can_be_chosen():
    model = CSN(depth=50, epsilon=1e-5, input_shape=(8, 32, 32, 3))
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert {norm.epsilon for norm in norms} == {1e-5}
