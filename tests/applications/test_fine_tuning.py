"""Training part of a network: low-rank adapters (LoRA), or the last layers."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_video
from keras_video.inference import fold_batch_norm
from keras_video.inference.views import predict_views
from tests.applications import families

TRANSFORMERS = ("timesformer", "videomae", "vivit", "vjepa2", "swin3d", "mvit", "uniformer")
TRANSFORMERS += ("uniformer_v2",)


def built(name, **options):
    model = families.build(name, classifier_activation="softmax", **options)
    families.randomize(model)
    return model


def trained(model, name, epochs=1):
    """Trains on a few clips and returns which variables have changed."""
    optimizer = keras.optimizers.SGD(0.5)
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    before = {
        variable.path: np.array(variable)
        for variable in model.variables
        if "seed" not in variable.path
    }
    model.fit(families.clips(name), np.array([0, 1]), epochs=epochs, verbose=0)
    return {path for path, old in before.items()
            if not np.array_equal(old, variable_of(model, path))}  # fmt: skip


def variable_of(model, path):
    return np.array(next(variable for variable in model.variables if variable.path == path))


def with_changes(model):
    """Gives the low-rank adapters values, as training does."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if "lora_kernel_b" in variable.path:
            variable.assign(rng.normal(0, 0.1, variable.shape))


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_adapters_do_not_change_initial_outputs_and_are_merged_in_files(name, tmp_path):
    model = built(name)
    x = families.clips(name)
    before = model.predict_on_batch(x)
    weights = {variable.path for variable in model.variables}
    model.enable_lora(2)
    np.testing.assert_array_equal(model.predict_on_batch(x), before)
    names = {variable.path.split("/")[-1] for variable in model.trainable_variables}
    assert names == {"lora_kernel_a", "lora_kernel_b", "kernel", "bias"}
    classifier = {
        variable.path for variable in model.trainable_variables if "lora" not in variable.path
    }
    assert classifier <= weights and len(classifier) == 2
    assert any(
        "qkv" in variable.path or "attn" in variable.path for variable in model.trainable_variables
    )
    with_changes(model)
    after = model.predict_on_batch(x)
    assert np.abs(after - before).max() > 1e-4
    merged = model.merge_lora()
    assert merged is not model and {variable.path for variable in merged.weights} <= weights
    np.testing.assert_allclose(merged.predict_on_batch(x), after, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras_video.load_model(tmp_path / "model.keras")
    assert loaded.lora_rank is None and len(loaded.weights) == len(merged.weights)
    assert len(loaded.trainable_variables) == len(built(name).trainable_variables)
    np.testing.assert_allclose(loaded.predict_on_batch(x), after, atol=1e-5)


def test_training_changes_only_adapters_and_classifier():
    keras.utils.set_random_seed(0)
    model = built("videomae")
    model.enable_lora(2)
    expected = {variable.path for variable in model.trainable_variables}
    assert trained(model, "videomae", epochs=5) == expected
    assert all("lora" in path or "fc" in path or "head" in path for path in expected)


def test_multi_view_scores_use_the_adapters():
    model = built("videomae")
    x = families.clips("videomae")[:, None]
    before = predict_views(model, x)
    model.enable_lora(2)
    with_changes(model)
    scores = predict_views(model, x)
    assert np.abs(scores - before).max() > 1e-4
    np.testing.assert_allclose(scores, model.predict(x, verbose=0), atol=1e-5)


def test_rebuilding_a_model_merges_the_adapters():
    model = built("uniformer")
    model.enable_lora(2)
    with_changes(model)
    x = families.clips("uniformer")
    folded = fold_batch_norm(model)
    np.testing.assert_allclose(folded.predict_on_batch(x), model.predict_on_batch(x), atol=1e-4)


def test_exports_are_merged(tmp_path):
    import tensorflow as tf

    model = built("videomae")
    model.enable_lora(2)
    with_changes(model)
    x = families.clips("videomae")
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(served.serve(x), model.predict_on_batch(x), atol=1e-5)
    names = [variable.name for variable in served.variables] if hasattr(served, "variables") else []
    assert not any("lora" in name for name in names)


def test_invalid_lora_settings():
    model = built("videomae")
    for rank in (0, 1.5, True, None):
        with pytest.raises(ValueError, match=f"rank={rank}: expected a whole number"):
            model.enable_lora(rank)
    with pytest.raises(ValueError, match="not a transformer"):
        built("x3d").enable_lora(2)
    model.enable_lora(2)
    with pytest.raises(ValueError, match="already has LoRA of rank 2"):
        model.enable_lora(4)
    with pytest.raises(ValueError, match="has LoRA"):
        model.freeze_until("blocks_1")


def test_a_compiled_model_must_be_compiled_again():
    model = built("videomae")
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.enable_lora(2)
    with pytest.raises(ValueError, match=r"compile\(\)"):
        model.fit(families.clips("videomae"), np.array([0, 1]), verbose=0)


def test_layers_before_a_stage_are_frozen():
    model = built("c2d")
    x = families.clips("c2d")
    before = model.predict_on_batch(x)
    model.freeze_until("layer4")
    np.testing.assert_array_equal(model.predict_on_batch(x), before)
    changed = trained(model, "c2d")
    assert changed == {
        variable.path
        for variable in model.variables
        if variable.path.startswith(("layer4_", "fc_cls"))
    }
    model.freeze_until("fc_cls")
    assert [variable.path for variable in model.trainable_variables] == [
        "fc_cls/kernel",
        "fc_cls/bias",
    ]
    model.freeze_until("layer3")
    assert model.get_layer("layer3_0_conv1_bn").trainable
    assert not model.get_layer("layer2_0_conv1_bn").trainable


def test_a_prefix_does_not_match_longer_block_numbers():
    model = built("videomae", num_layers=12)
    model.freeze_until("blocks_1")
    assert not model.get_layer("blocks_0").trainable
    assert model.get_layer("blocks_1").trainable
    model.freeze_until("blocks_10")
    assert not model.get_layer("blocks_9").trainable


@pytest.mark.parametrize("name", ["layer5", "", "conv_1"])
def test_an_unknown_layer_lists_the_known_ones(name):
    model = built("c2d")
    with pytest.raises(ValueError, match=rf"freeze_until\('{name}'\).*layer4.*fc_cls"):
        model.freeze_until(name)


def test_a_fresh_process_loads_a_saved_model(tmp_path):
    built("videomae").save(tmp_path / "model.keras")
    code = "import keras_video; print(type(keras_video.load_model('model.keras')).__name__)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.stdout.split()[-1:] == ["VideoModel"], result.stderr
