import keras
import numpy as np
import pytest

from keras_video.inference import compile_frozen, fold_batch_norm
from tests.applications import families
from tests.applications.families import clips, randomize
from tests.layers.compare import close


# The smallest families; a function holds many times the memory of its model.
@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", ["x3d", "timesformer", "tsm_mobilenet_v2"])
def test_outputs_equal_predict(name):
    model = families.shared(name)
    x = clips(name)
    expected = model.predict_on_batch(x)
    frozen = compile_frozen(model)
    outputs = frozen(x)
    assert isinstance(outputs, np.ndarray)
    # Relative to the largest: X3D's logits are sums of larger numbers, so small ones lose digits.
    close(outputs, expected, 1e-5)


def small():
    inputs = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(inputs, {"first": x, "second": keras.layers.ReLU()(x)})
    randomize(model)
    return model


def test_multiple_outputs_and_shapes():
    model = small()
    frozen = compile_frozen(fold_batch_norm(model))
    for shape in [(1, 6, 6, 2), (2, 5, 7, 2)]:
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        expected = model.predict_on_batch(x)
        outputs = frozen(keras.ops.convert_to_tensor(x))
        assert set(outputs) == set(expected) == {"first", "second"}
        for name in outputs:
            np.testing.assert_allclose(outputs[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="constants are TensorFlow's")
def test_later_weight_changes_have_no_effect():
    model = small()
    x = np.ones((1, 4, 4, 2), "float32")
    frozen = compile_frozen(model)
    before = model.predict_on_batch(x)["first"]
    model.set_weights([2 * weight for weight in model.get_weights()])
    np.testing.assert_allclose(frozen(x)["first"], before, rtol=1e-5, atol=1e-6)
    assert np.abs(model.predict_on_batch(x)["first"] - before).max() > 0.01


def test_a_model_without_weights_is_rejected():
    with pytest.raises(ValueError, match="'not_yet' is not built"):
        compile_frozen(keras.Sequential([keras.layers.Dense(2)], name="not_yet"))
