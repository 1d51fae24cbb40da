"""ActionFormer against the numbers of the original code, and the behavior of its parts."""

import zlib
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.applications import ActionFormer
from keras_video.layers import LocalTransformerBlock, SequenceMask
from tests.fixtures.rule import interval, symmetric

FIXTURE = Path(__file__).parents[1] / "fixtures" / "actionformer.npz"
SMALL = {"classes": 3, "embed_dim": 8, "num_heads": 2, "depths": (2, 2, 3), "window": 5}


def small(**arguments):
    return ActionFormer(**{"input_shape": (None, 6), **SMALL, **arguments})


def set_weights_by_rule(model):
    """Gives every weight a distinct value that depends on its path."""
    for variable in model.weights:
        key, shape = zlib.crc32(variable.path.encode()), variable.shape
        if variable.path.endswith("gamma") or "scale_" in variable.path:
            variable.assign(interval(shape, 0.75, 1.25, key))
        else:
            variable.assign(symmetric(shape, max(1, int(np.prod(shape[:-1]))) ** -0.5, key))


def sequences(lengths=(64, 43), channels=6):
    x = np.zeros((len(lengths), max(lengths), channels), "float32")
    for number, length in enumerate(lengths):
        x[number, :length] = symmetric((length, channels), 1.0, 7, number)
    return x


def values(outputs):
    return {key: keras.ops.convert_to_numpy(value) for key, value in outputs.items()}


def test_outputs_are_those_of_the_original():
    """Created with the released code: logits and offsets of two sequences, the second padded."""
    model = small(classifier_activation=None)
    set_weights_by_rule(model)
    expected, actual = np.load(FIXTURE), values(model(sequences()))
    valid = expected["mask"]
    for key in ("classes", "offsets"):
        np.testing.assert_allclose(actual[key][valid], expected[key][valid], atol=2e-5)
    assert expected["offsets"][valid].max() > 0.5 and 0.1 < valid.mean() < 0.95


def test_the_published_size():
    # Counted on the released code with the settings for THUMOS.
    assert ActionFormer().count_params() == 29_251_612


@pytest.mark.parametrize("window", [5, None])
def test_the_length_of_padding_changes_nothing(window):
    model = small(window=window)
    set_weights_by_rule(model)
    results = []
    for padding in (24, 56):
        x = np.pad(sequences((40,)), ((0, 0), (0, padding), (0, 0)))
        outputs = values(model(x))
        assert (outputs["classes"][0, 40 : 40 + padding] == 0).all()
        assert (outputs["offsets"][0, 40 : 40 + padding] == 0).all()
        results.append({key: scores[:, :40] for key, scores in outputs.items()})
    for key in ("classes", "offsets"):
        np.testing.assert_allclose(results[0][key], results[1][key], atol=1e-5)
    other = values(model(sequences((40, 24))))
    np.testing.assert_allclose(
        other["classes"][0, :40], values(model(sequences((40,))))["classes"][0, :40], atol=1e-5
    )


def test_attention_is_limited_to_its_window():
    keras.utils.set_random_seed(0)
    block = LocalTransformerBlock(2, window=5)
    x = sequences((32,), 8)
    mask = np.ones((1, 32, 1), "float32")
    block(x, mask)
    changed = x.copy()
    changed[0, 16] *= np.linspace(-3, 3, 8)  # a norm removes what all channels share
    before, after = (keras.ops.convert_to_numpy(block(features, mask)) for features in (x, changed))
    moved = np.flatnonzero(np.abs(after - before).max(axis=(0, 2)) > 1e-7)
    # The convolutions extend the window of five by one position on each side.
    assert moved.min() == 13 and moved.max() == 19


def test_a_window_over_everything_is_full_attention():
    x, mask = sequences((12,), 8), np.ones((1, 12, 1), "float32")
    full, local = LocalTransformerBlock(2), LocalTransformerBlock(2, window=25)
    full(x, mask), local(x, mask)
    local.set_weights(full.get_weights())
    actual, expected = (keras.ops.convert_to_numpy(block(x, mask)) for block in (local, full))
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_the_mask_ends_after_the_last_nonzero_row():
    x = np.zeros((2, 5, 2), "float32")
    x[0, 0, 1] = x[0, 3, 0] = 1  # rows of zeros in between count
    mask = keras.ops.convert_to_numpy(SequenceMask()(x))[..., 0]
    assert mask.tolist() == [[1, 1, 1, 1, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("length", [32, None])
def test_a_saved_model_is_restored_equal(tmp_path, length):
    model = small(input_shape=(length, 6))
    model.class_names = ["a", "b", "c"]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.class_names == ["a", "b", "c"]
    x = sequences((32,))
    for before, after in zip(values(model(x)).values(), values(loaded(x)).values(), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)


def test_without_top_it_returns_features():
    source = keras.Input((32, 6))
    tensor = keras.layers.Rescaling(2.0)(source)
    model = small(input_tensor=tensor, include_top=False, input_shape=None)
    assert model.inputs[0] is source and model.output_shape == (None, 60, 8)
    for pooling in ("avg", "max"):
        assert small(include_top=False, pooling=pooling).output_shape == (None, 8)
    with pytest.raises(ValueError, match="pooling='sum'"):
        small(include_top=False, pooling="sum")


def test_half_precision_gives_close_scores():
    expected = values(small(layer_scale=None)(sequences((32,))))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small(layer_scale=None)
    finally:
        keras.config.set_dtype_policy("float32")
    scores = values(model(sequences((32,))))
    assert {value.dtype.name for value in scores.values()} == {"float32"}
    assert np.isfinite(scores["classes"]).all() and scores["classes"].shape == (1, 60, 3)
    assert expected["classes"].shape == scores["classes"].shape


def test_wrong_arguments_raise():
    with pytest.raises(ValueError, match="sequences of 36 features, expected a multiple of 8"):
        small(input_shape=(36, 6))
    with pytest.raises(ValueError, match="classifier_activation='softmax'"):
        small(classifier_activation="softmax")
    with pytest.raises(ValueError, match="window=4: expected an odd number"):
        small(window=4)
    with pytest.raises(ValueError, match="heads=3: expected a divisor of the width 8"):
        small(num_heads=3)
