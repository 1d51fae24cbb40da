"""VideoMAE, ViViT and V-JEPA 2 in all sizes and under all names."""

import logging

import keras
import numpy as np
import pytest

import keras_video
from keras_video import zoo
from keras_video.applications import (
    VJEPA2,
    VideoMAE,
    ViViT,
    origins,
    pretrained,
    videomae,
    vivit,
    vjepa2,
)
from keras_video.weights import load_state
from keras_video.weights.dialects import recognize
from tests import modern_reference, torch_files
from tests.applications import families
from tests.weights.test_dialects import renamed, shapes

# The classifiers of 400 classes, for V-JEPA 2 of 174 and with the probe. Published, in millions:
# VideoMAE 22, 87, 305, 633 and V2 1013; ViViT 89; V-JEPA 2's encoders 300, 600 and 1000.
COUNTS = [
    (VideoMAE, "small", 22_033_936),
    (VideoMAE, "base", 86_534_800),
    (VideoMAE, "large", 304_270_736),
    (VideoMAE, "huge", 632_119_440),
    (VideoMAE, "giant", 1_012_174_352),
    (ViViT, "base", 88_954_000),
    (ViViT, "large", 307_508_624),
    (VJEPA2, "large", 353_399_982),
    (VJEPA2, "huge", 708_942_254),
    (VJEPA2, "giant", 1_105_668_142),
]
MODULES = {VideoMAE: videomae, ViViT: vivit, VJEPA2: vjepa2}


@pytest.mark.slow
@pytest.mark.parametrize(("constructor", "size", "count"), COUNTS)
def test_parameter_counts(constructor, size, count):
    """Extrapolates from models with one and two blocks, since all blocks are equal."""
    single, double = (constructor(size=size, num_layers=layers).count_params() for layers in (1, 2))
    keras.backend.clear_session()
    depth = MODULES[constructor].SIZES[size].num_layers
    assert single + (depth - 1) * (double - single) == count


def test_drop_path_grows_with_depth():
    model = families.build("videomae", num_layers=5, drop_path=0.4)
    rates = [model.get_layer(f"blocks_{index}").drop_path for index in range(5)]
    np.testing.assert_allclose(rates, [0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("name", ["videomae", "vivit", "vjepa2"])
def test_features(name):
    shape = {"include_top": False, "input_shape": (4, 32, 48, 3)}
    assert families.build(name, **shape).output_shape == (None, 2, 4, 6, 48)
    for pooling in ("avg", "max", *(["token"] if name == "vivit" else [])):
        assert families.build(name, **shape, pooling=pooling).output_shape == (None, 48)


@pytest.mark.parametrize("name", ["videomae", "vivit", "vjepa2"])
def test_the_order_of_frames_matters(name):
    model, clips = families.shared(name), families.clips(name)
    change = model(clips) - model(clips[:, ::-1])
    assert np.abs(keras.ops.convert_to_numpy(change)).max() > 1e-2


@pytest.mark.parametrize("name", ["videomae", "vivit", "vjepa2"])
def test_training_reaches_every_weight(name):
    keras.utils.set_random_seed(0)
    model = families.build(name, drop_path=0.0, rematerialize=True)
    families.randomize(model)
    before = [np.array(value) for value in model.get_weights()]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(families.clips(name), np.array([0, 3]))
    pairs = zip(before, model.get_weights(), model.weights, strict=True)
    stayed = {variable.path for old, new, variable in pairs if np.array_equal(old, new)}
    # A bias shared by all keys does not change the softmax.
    assert stayed <= {"pooler/k_proj/bias"}


@pytest.mark.parametrize("name", ["videomae", "vivit", "vjepa2"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "enormous"}, "size='enormous': expected one of"),
        ({"input_shape": (3, 32, 32, 3)}, "multiples of the tubelet's"),
        ({"input_shape": (4, None, 32, 3)}, "must be known"),
        ({"num_heads": 5}, "48 can not be divided among 5 heads"),
    ],
    ids=str,
)
def test_rejects(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        families.build(name, **arguments)


# The names of other files of these networks, from those of a fixture: fixture, dialect, renaming.
REPOSITORY = (
    (r"^(?:backbone|cls_head)\.", ""),
    (r"^patch_embed\.projection", "patch_embed.proj"),
    (r"\.mlp\.layers\.0\.0\.", ".mlp.fc1."),
    (r"\.mlp\.layers\.1\.", ".mlp.fc2."),
    (r"^fc_cls\.", "head."),
)
NEW_VIDEOMAE = ((r"\.q_bias$", ".query.bias"), (r"\.v_bias$", ".value.bias"))
NEW_VIVIT = (
    (r"\.encoder\.layer\.", ".layers."),
    (r"\.attention\.attention\.query", ".attention.q_proj"),
    (r"\.attention\.attention\.key", ".attention.k_proj"),
    (r"\.attention\.attention\.value", ".attention.v_proj"),
    (r"\.attention\.output\.dense", ".attention.o_proj"),
    (r"\.intermediate\.dense", ".mlp.fc1"),
    (r"\.output\.dense", ".mlp.fc2"),
)
OTHER_NAMES = {
    "repository of VideoMAE": ("mm_videomaev2_small", "videomae", REPOSITORY),
    "transformers 5 of VideoMAE": ("hf_videomae_base", "transformers_videomae", NEW_VIDEOMAE),
    "transformers 5 of ViViT": ("hf_vivit_base", "transformers_vivit", NEW_VIVIT),
}


@pytest.mark.parametrize("case", OTHER_NAMES)
def test_other_names_of_the_same_tensors(case):
    fixture, name, pairs = OTHER_NAMES[case]
    manifest = modern_reference.load(fixture).facts["manifest"]
    state = shapes(renamed(manifest, *pairs))
    dialect = recognize(state)
    assert dialect.name == name and dialect.score(state) == 1
    known = shapes(manifest)
    ours = recognize(known).translate(known)
    translated = dialect.translate(state)
    assert {key: value.shape for key, value in translated.items()} == {
        key: value.shape for key, value in ours.items()
    }


def small_state(name, prefix):
    """The tensors of a small model in PyTorch's order, named as V-JEPA 2's or VideoMAE's files."""
    state = {}
    for variable in families.shared(name).weights:
        layer, _, leaf = variable.path.rpartition("/")
        layer = layer.replace("/", ".").replace("mlp_fc", "mlp.fc").replace("blocks_", "blocks.")
        layer = layer.replace("patch_embed_projection", "patch_embed.proj").replace(
            "fc_cls", "head"
        )
        value = np.array(variable)
        if leaf == "kernel":
            value = np.moveaxis(value, (-1, -2), (0, 1))
        leaf = {"kernel": "weight", "gamma": "weight", "beta": "bias"}.get(leaf, leaf)
        state[f"{prefix}{layer}.{leaf}"] = np.ascontiguousarray(value)
    return state


def test_a_file_of_videomaes_repository_is_opened(tmp_path):
    state = small_state("videomae", "")
    table = np.zeros((1, 32, 48), "float32")
    torch_files.save_checkpoint(tmp_path / "a.pth", {**state, "pos_embed": table}, nest="module")
    model = keras_video.load(
        tmp_path / "a.pth", num_heads=2, input_shape=(4, 32, 32, 3), classifier_activation=None
    )
    assert model.name == "videomae" and model.output_shape == (None, families.CLASSES)
    clips = families.clips("videomae")
    expected = families.shared("videomae")(clips)
    np.testing.assert_allclose(model(clips), expected, atol=1e-5)


@pytest.mark.slow(every_change=True)
def test_an_encoder_of_vjepa2s_repository_gives_features(tmp_path):
    state = small_state("vjepa2", "module.backbone.")
    body = {
        name: array for name, array in state.items() if "pooler" not in name and "head" not in name
    }
    torch_files.save_checkpoint(tmp_path / "vitl.pt", body, nest="encoder")
    model = keras_video.load(tmp_path / "vitl.pt", num_heads=2, input_shape=(4, 32, 32, 3))
    assert model.output_shape == (None, 2, 4, 4, 48)
    whole = families.shared("vjepa2")
    normed = keras.Model(whole.inputs, whole.get_layer("norm").output)
    clips = families.clips("vjepa2")
    expected = np.reshape(normed(clips), (2, 2, 4, 4, 48))
    np.testing.assert_allclose(model(clips), expected, atol=1e-5)


def test_positions_of_vivit_fit_other_clips():
    embedding = families.build("vivit", input_shape=(8, 48, 32, 3)).get_layer("embedding")
    table = np.random.default_rng(0).normal(size=(1, 1 + 4 * 5 * 5, 48)).astype("float32")
    assert embedding.fit_tensor("pos_embed", table).shape == (1, 1 + 4 * 6 * 4, 48)
    token = np.zeros((1, 1, 48), "float32")
    assert embedding.fit_tensor("cls_token", token) is token


def test_weights_of_another_size_load_where_positions_are_computed():
    for name in ("videomae", "vjepa2"):
        other = families.build(name, input_shape=(8, 48, 64, 3))
        other.set_weights(families.shared(name).get_weights())
        assert other(np.zeros((1, 8, 48, 64, 3), "float32")).shape == (1, families.CLASSES)


def test_a_clip_of_another_size_is_rejected_or_interpolated_on_request():
    with pytest.raises(ValueError, match="time is not interpolated"):
        families.build("videomae", table_grid=(4, 4, 4))
    model = families.build("videomae", table_grid=(2, 28, 28))
    model.set_weights(families.shared("videomae").get_weights())
    plain = families.shared("videomae")(families.clips("videomae"))
    assert np.abs(np.array(model(families.clips("videomae"))) - np.array(plain)).max() > 1e-3


def test_state_of_another_network_is_rejected():
    model = families.build("videomae")
    state = small_state("videomae", "")
    state.pop("blocks.1.attn.q_bias")
    with pytest.raises(ValueError, match="missing in the checkpoint: blocks_1_attn/q_bias"):
        load_state(model, state)


LARGE = "mmaction2-1.2/vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400"


def test_weights_for_non_commercial_use_are_not_the_default():
    model = families.shared("videomae")
    row = pretrained.named_row(model, "kinetics400", VideoMAE, {"size": "base"})
    assert row.id == "mmaction2-1.2/vit-base-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400"
    with pytest.raises(ValueError, match=r"large.* \(CC-BY-NC-4.0\).*allow_noncommercial=True"):
        pretrained.named_row(model, "kinetics400", VideoMAE, {"size": "large"})
    allowed = pretrained.named_row(model, "kinetics400", VideoMAE, {"size": "large"}, True)
    assert allowed.license == "CC-BY-NC-4.0" and allowed.reported.top1 == 85.3
    assert pretrained.named_row(model, LARGE, VideoMAE, {}).license == "CC-BY-NC-4.0"


def test_the_constructor_allows_weights_for_non_commercial_use(monkeypatch):
    loaded = []
    monkeypatch.setattr(pretrained, "load_published", lambda model, row, head: loaded.append(row))
    small = {"num_layers": 1, "input_shape": (2, 32, 32, 3)}
    fitting = [row for row in zoo.rows("videomae") if row.id == LARGE]
    monkeypatch.setattr(pretrained, "matching_rows", lambda *_: fitting)
    with pytest.raises(ValueError, match="allow_noncommercial"):
        VideoMAE(weights="kinetics400", **small)
    VideoMAE(weights="kinetics400", allow_noncommercial=True, **small)
    assert [row.id for row in loaded] == [LARGE]


def test_a_noncommercial_license_is_warned_about_once(caplog):
    origins._warn_license.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            origins.warn_license(zoo.row(LARGE))
            origins.warn_license(zoo.row("torchvision/r3d_18/KINETICS400_V1"))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert LARGE in messages[0] and "CC-BY-NC-4.0: not free for commercial use" in messages[0]
