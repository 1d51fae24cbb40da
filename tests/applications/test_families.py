"""Properties of every family."""

import keras
import numpy as np
import pytest

from tests.applications import families

all_families = pytest.mark.parametrize("name", families.SMALL)


def values(tensor):
    return keras.ops.convert_to_numpy(tensor)


# In CI test_backends.py loads the files of all families.
@pytest.mark.slow
@all_families
def test_a_saved_model_is_loaded_equal(name, tmp_path):
    model = families.shared(name)
    model.class_names = list("abcde")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.class_names == list("abcde")
    x = families.clips(name)
    np.testing.assert_allclose(values(loaded(x)), values(model(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.slow(every_change=True)
@all_families
def test_clips_of_a_batch_do_not_leak_into_each_other(name):
    model, x = families.shared(name), families.clips(name)
    alone = np.concatenate([values(model(x[:1])), values(model(x[1:]))])
    np.testing.assert_allclose(values(model(x)), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@all_families
def test_a_step_of_training_changes_the_weights(name):
    model = families.shared(name)
    before = [values(variable) for variable in model.trainable_variables]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.train_on_batch(families.clips(name), np.array([0, 1]))
    assert np.isfinite(loss)
    changed = [
        not np.array_equal(old, values(new))
        for old, new in zip(before, model.trainable_variables, strict=True)
    ]
    # Branches whose factor is initially zero do not change in the first step.
    assert np.mean(changed) > 0.8


@pytest.mark.slow(every_change=True)
@all_families
def test_a_model_on_a_tensor_without_top_outputs_features(name):
    pixels = keras.Input(families.input_shape(name))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    model = families.build(name, input_tensor=x, include_top=False, pooling="avg")
    assert model.inputs[0] is pixels
    features = values(model(families.clips(name, batch=1)))
    assert features.ndim == 2
    assert np.isfinite(features).all()


@pytest.mark.slow(every_change=True)
@all_families
def test_wrong_arguments_are_rejected(name):
    with pytest.raises(ValueError, match="input_shape"):
        families.build(name, input_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="'median'"):
        families.build(name, include_top=False, pooling="median")
    with pytest.raises(ValueError, match="nothing_like_it"):
        families.build(name, weights="nothing_like_it")


def test_the_classifier_activation_gives_probabilities():
    scores = values(families.build("tsn", classifier_activation="softmax")(families.clips("tsn")))
    assert scores.shape == (2, families.CLASSES)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, rtol=1e-5)
