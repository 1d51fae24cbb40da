import keras
import numpy as np
import pytest
from keras import layers

from keras_video.inference import fold_batch_norm
from keras_video.layers import BatchNormalization, DepthwiseConv2D
from tests.applications import families
from tests.applications.families import randomize


def values(tensor):
    return keras.ops.convert_to_numpy(tensor)


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


@pytest.mark.slow
@pytest.mark.parametrize("name", families.SMALL)
def test_every_family_keeps_its_logits(name):
    folded = families.check_equal_model(name, fold_batch_norm)
    # Pre-norms, which follow a sum, do not prevent folding into any of its convolutions.
    assert not norms(folded) or name == "uniformer"


def folded_pair(build, shape):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, build(inputs))
    randomize(model)
    folded = fold_batch_norm(model)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(values(folded(x)), values(model(x)), rtol=1e-4, atol=1e-5)
    return folded


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, use_bias=True),
        layers.Conv2D(4, 3, use_bias=False),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        DepthwiseConv2D(3, 2),
        layers.Dense(4),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_absorb_a_norm(layer):
    folded = folded_pair(lambda x: layers.BatchNormalization()(layer(x)), (6, 6, 2))
    assert not norms(folded)


def test_the_norm_layer_of_the_families_is_folded():
    norm = BatchNormalization()
    assert not norms(folded_pair(lambda x: norm(layers.Conv2D(3, 1)(x)), (4, 4, 2)))


def test_norm_without_scale_and_offset():
    norm = layers.BatchNormalization(scale=False, center=False)
    assert not norms(folded_pair(lambda x: norm(layers.Conv2D(3, 1)(x)), (4, 4, 2)))


def test_norms_that_cannot_be_folded():
    conv, norm = layers.Conv2D(3, 1), layers.BatchNormalization()

    def used_twice(x):
        x = conv(x)
        return layers.Add()([norm(x), x])

    def shared(x):
        x = layers.Conv2D(2, 1)(x)
        again = layers.BatchNormalization()
        return again(layers.Activation("tanh")(again(x)))

    builders = {
        "used twice": used_twice,
        "called twice": shared,
        "activation between": lambda x: layers.BatchNormalization()(
            layers.Conv2D(3, 1, activation="tanh")(x)
        ),
        "before": lambda x: layers.Conv2D(3, 1)(layers.BatchNormalization()(x)),
        "other axis": lambda x: layers.BatchNormalization(axis=1)(layers.Conv2D(3, 1)(x)),
    }
    for name, build in builders.items():
        assert len(norms(folded_pair(build, (4, 4, 2)))) == 1, name


def test_nested_models():
    inner_input = keras.Input((4, 4, 2))
    inner = layers.BatchNormalization()(layers.Conv2D(3, 1)(inner_input))
    inner = keras.Model(inner_input, inner, name="inner")
    folded = folded_pair(lambda x: layers.Conv2D(2, 1)(inner(x)), (4, 4, 2))
    assert not norms(folded.get_layer("inner"))


def test_another_kind_of_model_is_rejected():
    class Other(keras.Model):
        pass

    with pytest.raises(ValueError, match="functional"):
        fold_batch_norm(Other())
