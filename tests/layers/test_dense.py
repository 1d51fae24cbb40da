import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video.layers.dense import Dense

pytestmark = pytest.mark.unit

SHAPES = [(2, 4), (2, 3, 4), (2, 3, 5, 4)]


def numbers(shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", SHAPES)
def test_matches_keras(shape):
    x = numbers(shape)
    plain = keras.layers.Dense(6, "gelu")
    expected = np.array(plain(x))
    layer = Dense.from_config(plain.get_config())
    layer.build(shape)
    layer.set_weights(plain.get_weights())
    np.testing.assert_allclose(layer(x), expected, atol=1e-6)
    assert layer(keras.Input(shape[1:])).shape == (None, *shape[1:-1], 6)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_tensorflow_uses_a_single_product(shape):
    layer = Dense(6)
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, *shape[1:]))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "MatMul" in kinds and "BatchMatMulV2" not in kinds


def test_sequences_of_any_length():
    layer = Dense(6)
    model = keras.Sequential([keras.Input((None, 4)), layer])
    assert model(numbers((2, 3, 4))).shape == (2, 3, 6)
    assert model(numbers((2, 5, 4))).shape == (2, 5, 6)


def test_files_fit_keras_own_layer(tmp_path):
    path = tmp_path / "dense.weights.h5"
    models = [
        keras.Sequential([keras.Input((3, 4)), kind(6)]) for kind in (Dense, keras.layers.Dense)
    ]
    models[0].save_weights(path)
    models[1].load_weights(path)
    x = numbers((2, 3, 4))
    np.testing.assert_allclose(models[1](x), models[0](x), atol=1e-6)


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_models_are_quantized_as_with_keras_own_layer(mode):
    x, outputs = numbers((2, 3, 4)), []
    for kind in (Dense, keras.layers.Dense):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3, 4)), kind(6)])
        model.quantize(mode)
        assert model.layers[0].quantization_mode == mode
        outputs.append(np.array(model(x)))
    np.testing.assert_allclose(*outputs, atol=1e-6)
