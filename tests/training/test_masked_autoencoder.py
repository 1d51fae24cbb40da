"""The masked autoencoder: against the original, its masks, and its encoder."""

import keras
import numpy as np
import pytest

import keras_video
from keras_video.applications import VideoMAE, pretrained
from keras_video.training import AdamW, MaskedAutoencoder
from keras_video.weights import WeightsError, load_state
from keras_video.weights.dialects import recognize
from keras_video.weights.loading import variables_by_key
from tests import modern_reference, reference, torch_files
from tests.applications import families
from tests.fixtures import rule

CASE = "hf_videomae_base_pretraining"
SMALL = {"include_top": False, "drop_path": 0.0}
GRID = (2, 4, 4)


def small(decoder_mask_ratio=0.0, **arguments):
    encoder = families.build("videomae", **SMALL)
    return MaskedAutoencoder(encoder, 0.75, decoder_mask_ratio, decoder_layers=1, **arguments)


def masks(batch=2, hidden=12, seed=0):
    """Tube masks: the same `hidden` of 16 positions at both time steps."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.arange(16) < hidden) for _ in range(batch)]
    return np.stack([np.tile(row, 2) for row in rows])


def predicted(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def batch(**arguments):
    return {"clip": families.clips("videomae"), "mask": masks(**arguments)}


@pytest.fixture(scope="module")
def original():
    """The case and the model with its weights, loaded by the names of the published file."""
    case = modern_reference.load(CASE)
    clips = case.clips()
    encoder = VideoMAE(False, input_shape=clips.shape[1:], epsilon=1e-12, drop_path=0.0)
    model = MaskedAutoencoder(
        encoder, 22 / 24, decoder_layers=4, encoder_norm=False, decoder_epsilon=1e-5
    )
    load_state(model, case.weights())
    return case, model, {"clip": clips, "mask": case.arrays["mask"]}


def close(received, expected):
    worst = np.abs(keras.ops.convert_to_numpy(received) - expected).max()
    assert worst <= 1e-4 * np.abs(expected).max(), worst


@pytest.mark.slow(every_change=True)
def test_predictions_targets_and_loss_are_the_originals(original):
    case, model, inputs = original
    assert reference.learned(model) == case.facts["parameter_count"]
    predictions = model(inputs)
    close(predictions[:, 0], case.arrays["predictions"])
    close(keras.ops.convert_to_numpy(predictions)[:, ::7, ::31], case.logits)
    close(model.targets(inputs)[:, 0], case.arrays["targets"])
    loss = model.compute_loss(x=inputs, y_pred=predictions)
    close(loss, case.arrays["loss"])
    assert float(loss) == pytest.approx(3.140828, rel=1e-4)


# Names of the file, and what they are called here.
GRADIENTS = {
    "mask_token": "decoder_tokens/mask_token",
    "videomae.embeddings.patch_embeddings.projection.weight": "patch_embed_projection/kernel",
    "videomae.encoder.layer.0.attention.attention.q_bias": "blocks_0_attn/q_bias",
    "videomae.encoder.layer.11.output.dense.weight": "blocks_11_mlp_fc2/kernel",
    "encoder_to_decoder.weight": "encoder_to_decoder/kernel",
    "decoder.head.bias": "decoder_head/bias",
}


@pytest.mark.slow(every_change=True)
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes TensorFlow's gradient")
def test_gradients_are_the_originals(original):
    import tensorflow as tf

    case, model, inputs = original
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=inputs, y_pred=model(inputs, training=True))
    variables = [variable.value for variable in model.trainable_variables]
    gradients = tape.gradient(loss, variables)
    norm = np.sqrt(sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients))
    assert norm == pytest.approx(float(case.arrays["gradient_norm"]), rel=1e-4)
    keys = {id(variable.value): key for key, variable in variables_by_key(model).items()}
    named = {keys[id(v)]: g.numpy() for v, g in zip(variables, gradients, strict=True)}
    for name, key in GRADIENTS.items():
        gradient = named[key]
        if key.endswith("/kernel"):
            gradient = np.moveaxis(gradient, (-2, -1), (1, 0))
        sample = gradient.reshape(-1)[rule.sample_positions(gradient.size)]
        close(sample, case.arrays[f"gradient/{name}"])


@pytest.mark.slow(every_change=True)
def test_the_published_file_starts_a_classifier(original, tmp_path, caplog):
    case, model, _ = original
    state = case.weights()
    assert recognize(state).name == "transformers_videomae_pretraining"
    path = tmp_path / "pretrained.pth"
    torch_files.save_checkpoint(path, state)
    shape = case.clips().shape[1:]
    classifier = VideoMAE(input_shape=shape, classes=3)
    pretrained.load_initial_file(classifier, path)
    variables = variables_by_key(classifier)
    for key, array in model.encoder_weights.items():
        np.testing.assert_array_equal(variables[key], array, err_msg=key)


@pytest.mark.parametrize("dialect", ["transformers_videomae_pretraining", "videomae_pretraining"])
def test_files_with_a_norm_after_the_encoder(dialect):
    model = small()
    families.randomize(model)
    state = published_state(model, dialect)
    assert recognize(state).name == dialect
    other = small()
    load_state(other, state)
    for key, array in weights(model).items():
        np.testing.assert_array_equal(weights(other)[key], array, err_msg=key)


@pytest.mark.parametrize("dialect", ["transformers_videomae_pretraining", "videomae_pretraining"])
def test_a_pretraining_file_is_not_a_classifier(dialect, tmp_path):
    path = tmp_path / "pretrained.pth"
    torch_files.save_checkpoint(path, published_state(small(), dialect))
    with pytest.raises(WeightsError, match="(?s)fc_norm.*masked pretraining: .*train --weights"):
        keras_video.load(path, num_heads=2)


def published_state(model, dialect):
    """The weights in the names and axis order of a published file."""
    state = {}
    for key, array in weights(model).items():
        name, array = published(key, dialect), value(key, array)
        if name.startswith(("videomae", "decoder.decoder")) and ".qkv." in name:
            parts = zip(("query", "key", "value"), np.split(array, 3), strict=True)
            state |= {name.replace("qkv", part): value for part, value in parts}
        else:
            state[name] = array
    return state


def weights(model):
    return {key: np.array(variable) for key, variable in variables_by_key(model).items()}


def value(key, array):
    return np.moveaxis(array, (-2, -1), (1, 0)) if key.endswith("/kernel") else array


def published(key, dialect):
    """The name of a variable in a file of VideoMAE's repository, or of the Hub."""
    layer, _, leaf = key.partition("/")
    leaf = {"kernel": "weight", "gamma": "weight", "beta": "bias"}.get(leaf, leaf)
    for start in ("decoder_blocks_", "blocks_"):
        if layer.startswith(start):
            index, _, rest = layer.removeprefix(start).partition("_")
            hub = dialect.startswith("transformers")
            prefix = {
                ("decoder_blocks_", True): "decoder.decoder_layers",
                ("blocks_", True): "videomae.encoder.layer",
                ("decoder_blocks_", False): "decoder.blocks",
                ("blocks_", False): "encoder.blocks",
            }[start, hub]
            rest = rest.replace("mlp_", "mlp.")
            if hub:
                rest = {
                    "norm1": "layernorm_before", "norm2": "layernorm_after",
                    "attn": "attention.attention", "attn_qkv": "attention.attention.qkv",
                    "attn_proj": "attention.output.dense", "mlp.fc1": "intermediate.dense",
                    "mlp.fc2": "output.dense",
                }[rest]  # fmt: skip
            else:
                rest = rest.replace("attn_", "attn.")
            return f"{prefix}.{index}.{rest}.{leaf}"
    hub = {
        "patch_embed_projection": "videomae.embeddings.patch_embeddings.projection",
        "norm": "videomae.layernorm",
        "decoder_norm": "decoder.norm",
        "decoder_head": "decoder.head",
        "encoder_to_decoder": "encoder_to_decoder",
    }
    own = {**hub, "patch_embed_projection": "encoder.patch_embed.proj", "norm": "encoder.norm"}
    if layer == "decoder_tokens":
        return leaf
    return f"{(hub if dialect.startswith('transformers') else own)[layer]}.{leaf}"


def test_dual_masking_predicts_what_the_decoder_mask_keeps():
    model, whole = small(0.5), small()
    families.randomize(model)
    whole.set_weights(model.get_weights())
    inputs = batch()
    decoded = np.zeros((2, 32), bool)
    decoded[:, ::2] = True
    inputs["decoder_mask"] = ~decoded
    predictions = model(inputs)
    assert predictions.shape == (2, 16, model.decoder_head.units)
    targets = keras.ops.convert_to_numpy(model.targets(inputs))
    hidden = {index: list(np.flatnonzero(row)) for index, row in enumerate(inputs["mask"])}
    everything = keras.ops.convert_to_numpy(whole.targets(inputs))
    errors = []
    for example in range(2):
        for place, token in enumerate(range(0, 32, 2)):
            if token in hidden[example]:
                known = everything[example, hidden[example].index(token)]
                np.testing.assert_allclose(targets[example, place], known, atol=1e-5)
                predicted = keras.ops.convert_to_numpy(predictions)[example, place]
                errors.append(np.mean((known - predicted) ** 2))
    loss = model.compute_loss(x=inputs, y_pred=predictions)
    assert float(loss) == pytest.approx(np.mean(errors), rel=1e-4)


def test_masked_tubelets_do_not_reach_the_encoder():
    model = small()
    families.randomize(model)
    inputs = batch()
    changed = np.array(inputs["clip"])
    token = np.flatnonzero(inputs["mask"][0])[0]
    row, column = np.unravel_index(token, GRID)[1:]
    changed[0, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 1
    same = predicted(model, {**inputs, "clip": changed})
    np.testing.assert_array_equal(predicted(model, inputs), same)
    shown = np.flatnonzero(~inputs["mask"][0])[0]
    row, column = np.unravel_index(shown, GRID)[1:]
    changed[0, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 1
    assert np.abs(predicted(model, {**inputs, "clip": changed}) - same).max() > 1e-3


def test_normalized_targets_have_no_mean_and_pixels_are_pixels():
    inputs = batch()
    targets = np.array(small().targets(inputs)).reshape(2, 24, -1, 3)
    np.testing.assert_allclose(targets.mean(2), 0, atol=1e-5)
    np.testing.assert_allclose(targets.std(2, ddof=1), 1, atol=1e-4)
    plain = small(normalize_targets=False, mean=(10, 20, 30), std=(50, 60, 70))
    pixels = inputs["clip"] * (50, 60, 70) + (10, 20, 30)
    first = np.flatnonzero(inputs["mask"][0])[0]
    time, row, column = np.unravel_index(first, GRID)
    expected = (
        pixels[0, 2 * time : 2 * time + 2, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] / 255
    )
    np.testing.assert_allclose(plain.targets(inputs)[0, 0], expected.reshape(-1), atol=1e-5)


@pytest.mark.slow(every_change=True)
def test_learns_and_its_encoder_is_the_given_model():
    keras.utils.set_random_seed(0)
    encoder = families.build("videomae", **SMALL)
    model = MaskedAutoencoder(encoder, 0.75, decoder_layers=1)
    start = [np.array(variable) for variable in encoder.weights]
    model.compile(AdamW(5e-3, weight_decay=0.0))
    losses = [float(model.train_on_batch(batch())) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]
    moved = [np.abs(np.array(v) - s).max() > 0 for v, s in zip(encoder.weights, start, strict=True)]
    names = [variable.path for variable in encoder.weights]
    assert [n for n, m in zip(names, moved, strict=True) if not m] == [
        "fc_norm/gamma",
        "fc_norm/beta",
    ]
    classifier = families.build("videomae")
    fresh = model.load_encoder(classifier)
    assert sorted(fresh) == ["fc_cls/bias", "fc_cls/kernel", "fc_norm/beta", "fc_norm/gamma"]
    variables = variables_by_key(classifier)
    for key, variable in variables_by_key(encoder).items():
        np.testing.assert_array_equal(variables[key], variable, err_msg=key)


def test_a_saved_encoder_starts_a_classifier(tmp_path):
    encoder = families.build("videomae", **SMALL)
    families.randomize(encoder)
    encoder.save(tmp_path / "encoder.keras")
    classifier = families.build("videomae")
    head = np.array(classifier.get_layer("fc_cls").kernel)
    pretrained.load_initial_file(classifier, tmp_path / "encoder.keras")
    variables = variables_by_key(classifier)
    for key, variable in variables_by_key(encoder).items():
        np.testing.assert_array_equal(variables[key], variable, err_msg=key)
    np.testing.assert_array_equal(classifier.get_layer("fc_cls").kernel, head)


def test_round_trips_through_a_file(tmp_path):
    model = small(0.5, decoder_dim=16, decoder_heads=2, mean=(1, 2, 3), std=(4, 5, 6))
    families.randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    inputs = {**batch(), "decoder_mask": masks(hidden=8, seed=3)}
    np.testing.assert_allclose(predicted(again, inputs), predicted(model, inputs), atol=1e-6)
    np.testing.assert_array_equal(again.targets(inputs), model.targets(inputs))
    config, expected = again.get_config(), model.get_config()
    names = ("mean", "std", "mask_ratio", "decoder_mask_ratio", "decoder_dim", "decoder_heads")
    for name in names:
        assert config[name] == expected[name], name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_ratio": 0.01}, r"mask_ratio=0.01: masks 0 of 16 positions"),
        ({"mask_ratio": 1.0}, r"mask_ratio=1.0: masks 16 of 16 positions"),
        ({"decoder_mask_ratio": 0.1}, r"decoder_mask_ratio=0.1: expected 0, 0.25, 0.5 or 0.75"),
    ],
)
def test_ratios_that_mask_all_or_none_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskedAutoencoder(families.build("videomae", **SMALL), **arguments)


def test_other_networks_are_rejected():
    with pytest.raises(ValueError, match="expected a VideoMAE"):
        MaskedAutoencoder(families.shared("swin3d"))
    with pytest.raises(WeightsError, match="of another shape"):
        small().load_encoder(families.build("videomae", embed_dim=32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda inputs: inputs["clip"], "received .*, expected a dictionary of clip, mask"),
        (lambda inputs: {"clip": inputs["clip"]}, r"received \['clip'\], expected a dictionary"),
        (
            lambda inputs: {**inputs, "mask": inputs["mask"][:, :-1]},
            r"mask of shape \(2, 31\): expected \(batch, 32\), as the clip has 2 x 4 x 4",
        ),
    ],
)
def test_inputs_without_matching_masks_are_rejected(change, message):
    with pytest.raises(ValueError, match=message):
        small()(change(batch()))
