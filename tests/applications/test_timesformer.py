import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications import pretrained
from keras_video.applications.timesformer import TimeSformer
from keras_video.layers.position_tables import resize_grid
from keras_video.weights import WeightsError, load_initial_weights, load_state
from tests import reference
from tests.fixtures import rule

# Outputs of the original with two layers, for each attention.
FACTS = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "data" / "timesformer_small.json").read_text()
)
ATTENTIONS = tuple(FACTS["cases"])
SMALL = {"patch_size": 8, "embed_dim": 32, "num_heads": 4, "num_layers": 2, "classes": 5}
SHAPE = (4, 32, 32, 3)


def small_model(attention, shape=SHAPE, **arguments):
    arguments = {"classifier_activation": None, **SMALL, **arguments}
    return TimeSformer(input_shape=shape, attention=attention, **arguments)


def small_weights(attention):
    return rule.reference_weights(FACTS["cases"][attention]["manifest"], FACTS["weight_seed"])


def small_clips():
    x = rule.reference_input(FACTS["input_shape"], FACTS["input_seed"])
    return np.moveaxis(x, 1, -1)  # (n, c, t, h, w) -> (n, t, h, w, c)


def run(model, clips):
    return keras.ops.convert_to_numpy(model(clips))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_equals_the_original(attention):
    case, model = FACTS["cases"][attention], small_model(attention)
    assert reference.learned(model) == case["parameter_count"]
    load_state(model, small_weights(attention))
    reference.assert_logits_equal(run(model, small_clips()), np.array(case["logits"]))


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("attention", "count"), zip(ATTENTIONS, (121566352, 86112400, 86106256), strict=True)
)
def test_parameter_counts_of_the_rows(attention, count):
    row = next(r for r in zoo.rows(family="timesformer") if r.arguments["attention"] == attention)
    assert reference.learned(row.model()) == count


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_order_of_frames_matters_where_time_has_positions(attention):
    model = small_model(attention)
    load_state(model, small_weights(attention))
    clips = small_clips()
    change = np.abs(run(model, clips) - run(model, clips[:, ::-1])).max()
    if attention == "space_only":
        assert change < 1e-5
    else:
        assert change > 1e-2


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_is_restored_from_a_file(tmp_path, attention):
    model = small_model(attention)
    load_state(model, small_weights(attention))
    model.class_names = list("abcde")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(run(loaded, small_clips()), run(model, small_clips()), atol=1e-6)
    assert loaded.class_names == model.class_names


def test_features():
    arguments = {"include_top": False, "shape": (4, 32, 48, 3)}
    for attention in ATTENTIONS:
        assert small_model(attention, **arguments).output_shape == (None, 4, 4, 6, 32)
        for pooling in ("avg", "max", "token"):
            model = small_model(attention, **arguments, pooling=pooling)
            assert model.output_shape == (None, 32)


def test_checkpoints_of_another_size_are_interpolated():
    state = small_weights("divided_space_time")
    model = small_model("divided_space_time", (8, 48, 64, 3))
    load_state(model, state)
    embedding = model.get_layer("embedding")
    times = keras.ops.convert_to_numpy(embedding.time_embed)
    np.testing.assert_array_equal(times, np.repeat(state["backbone.time_embed"], 2, axis=1))
    positions = keras.ops.convert_to_numpy(embedding.pos_embed)
    np.testing.assert_array_equal(positions, resize_grid(state["backbone.pos_embed"], (6, 8)))


def test_another_width_is_rejected():
    model = small_model("joint_space_time", embed_dim=16)
    with pytest.raises(WeightsError, match="pos_embed"):
        load_state(model, small_weights("joint_space_time"))


TIMM = {
    "norms.0": "norm1",
    "norms.1": "norm2",
    "attentions.0.attn.in_proj_": "attn.qkv.",
    "attentions.0.attn.out_proj": "attn.proj",
    "ffns.0.layers.0.0": "mlp.fc1",
    "ffns.0.layers.1": "mlp.fc2",
    "transformer_layers.layers": "blocks",
    "patch_embed.projection": "patch_embed.proj",
}


def image_transformer(dialect):
    """An image transformer's checkpoint with the names of "mmaction" or "timm"."""
    state = {
        name.removeprefix("backbone."): array
        for name, array in small_weights("space_only").items()
        if not name.startswith("cls_head")
    }
    if dialect == "timm":
        for theirs, timms in TIMM.items():
            state = {name.replace(theirs, timms): array for name, array in state.items()}
        state |= {"head.weight": np.zeros((9, 32)), "pre_logits.fc.weight": np.zeros((32, 32))}
    return state


@pytest.mark.parametrize("dialect", ["mmaction", "timm"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_starts_from_an_image_transformer(attention, dialect):
    model = small_model(attention)
    fresh = {
        key.rpartition("/")[0] for key in load_initial_weights(model, image_transformer(dialect))
    }
    state = small_weights("space_only")
    loaded = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
    prefix = "transformer_layers_layers_1"
    expected = state["backbone.transformer_layers.layers.1.attentions.0.attn.in_proj_weight"].T
    np.testing.assert_array_equal(loaded[f"{prefix}_attentions_0_attn/qkv/kernel"], expected)
    if attention != "divided_space_time":
        assert fresh == {"fc_cls"} | ({"embedding"} if attention == "joint_space_time" else set())
        return
    assert fresh == {"fc_cls", "embedding", "transformer_layers_layers_0_attentions_0_temporal_fc",
                     f"{prefix}_attentions_0_temporal_fc"}  # fmt: skip
    for leaf in ("attn/qkv/kernel", "attn/out_proj/bias", "norm/gamma"):
        over_time, over_space = (loaded[f"{prefix}_attentions_{i}_{leaf}"] for i in range(2))
        np.testing.assert_array_equal(over_time, over_space)
    norm = state["backbone.transformer_layers.layers.1.norms.1.weight"]
    np.testing.assert_array_equal(loaded[f"{prefix}_ffns_0_norm/gamma"], norm)


def test_an_initialized_model_treats_frames_as_the_image_transformer():
    """Temporal attention initially adds nothing, so a still clip is processed as its frame."""
    divided, frames = small_model("divided_space_time"), small_model("space_only")
    load_state(frames, small_weights("space_only"))
    load_initial_weights(divided, image_transformer("timm"))
    divided.get_layer("fc_cls").set_weights(frames.get_layer("fc_cls").get_weights())
    still = np.repeat(small_clips()[:, :1], 4, axis=1)
    np.testing.assert_allclose(run(divided, still), run(frames, still), atol=1e-4)


def test_training_reaches_every_weight():
    keras.utils.set_random_seed(0)
    model = small_model("divided_space_time", drop_path=0.0)
    load_state(model, small_weights("divided_space_time"))
    before = [np.array(value) for value in model.get_weights()]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(small_clips(), np.array([0, 3]), epochs=1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed), [v.path for v, c in zip(model.weights, changed, strict=True) if not c]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "time_only"}, "attention='time_only'"),
        ({"shape": (4, 30, 32, 3)}, "multiples of patch_size=8"),
        ({"shape": (4, None, 32, 3)}, "must be known"),
        ({"shape": (None, 32, 32, 3)}, "number of frames"),
        ({"num_heads": 5}, "5 heads"),
        ({"include_top": False, "pooling": "sum"}, "pooling='sum'"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        small_model(**{"attention": "joint_space_time", **arguments})


def test_signature_distinguishes_portrait_from_landscape():
    upright, wide = (small_model("space_only", (4, *size, 3)) for size in ((48, 32), (32, 48)))
    assert pretrained.signature(upright) != pretrained.signature(wide)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_imagenet_is_the_image_transformer_of_the_rows(monkeypatch, attention):
    fetched = []
    monkeypatch.setattr(pretrained, "fetch", lambda url, prefix: fetched.append(url))
    monkeypatch.setattr(pretrained, "read_checkpoint", lambda path: image_transformer("mmaction"))
    model = small_model(attention, weights="imagenet")
    assert fetched[0].endswith("vit_base_patch16_224.pth")
    norm = keras.ops.convert_to_numpy(model.get_layer("norm").gamma)
    np.testing.assert_array_equal(norm, small_weights("space_only")["backbone.norm.weight"])
