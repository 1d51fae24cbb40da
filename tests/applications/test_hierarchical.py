"""Swin3D, MViT, UniFormer and UniFormerV2: their arguments, and clips of other sizes."""

import re

import keras
import numpy as np
import pytest

import keras_video
from keras_video.applications import MViT, Swin3D, UniFormer, UniFormerV2
from keras_video.applications.architectures import find_architecture
from keras_video.weights import load_state
from keras_video.weights.dialects import recognize
from tests import modern_reference, torch_files
from tests.applications import families

NAMES = ("swin3d", "mvit", "mvit_v1", "mvit_mlp", "uniformer", "uniformer_v2")


def value(tensor):
    return keras.ops.convert_to_numpy(tensor)


WRONG = (
    (Swin3D, {"size": "huge"}, "size='huge': expected one of tiny, small, base, large"),
    (Swin3D, {"depths": (2, 2)}, "depths=(2, 2) and num_heads=(3, 6, 12, 24)"),
    (Swin3D, {"input_shape": (None, 32, 32, 3)}, "must be known"),
    (Swin3D, {"embed_dim": 10, "input_shape": (4, 32, 32, 3)}, "10 channels can not be divided"),
    (MViT, {"version": 3}, "version=3: expected 1 or 2"),
    (MViT, {"version": 1, "size": "small"}, "size='small': expected one of base of version 1"),
    (MViT, {"widen_in": "both"}, "widen_in='both'"),
    (MViT, {"input_shape": (4, None, 32, 3)}, "must be known"),
    (UniFormer, {"size": "large"}, "size='large': expected one of small, base"),
    (UniFormer, {"head_dim": 48}, "head_dim=48"),
    (UniFormer, {"input_shape": (4, 32, None, 3)}, "must be known"),
    (UniFormerV2, {"size": "tiny"}, "size='tiny': expected one of base, large"),
    (UniFormerV2, {"num_decoders": 13}, "num_decoders=13: expected 1 to 12"),
    (UniFormerV2, {"input_shape": (8, 40, 32, 3)}, "multiples of patch_size=16"),
)


@pytest.mark.parametrize(("constructor", "arguments", "message"), WRONG)
def test_wrong_arguments_are_rejected(constructor, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        constructor(**arguments)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_frames_matters(name):
    model = families.shared(name)
    clips = np.random.default_rng(2).normal(size=(1, *families.input_shape(name)))
    forward, backward = value(model(clips)), value(model(clips[:, ::-1].copy()))
    assert np.abs(forward - backward).max() > 1e-4 * np.abs(forward).max()


@pytest.mark.parametrize("name", NAMES)
def test_weights_fit_clips_of_another_size(name):
    frames, height, width, channels = families.input_shape(name)
    shape = (frames + 4, height + 8, width + 24, channels)
    other = families.build(name, input_shape=shape)
    for mine, theirs in zip(families.shared(name).weights, other.weights, strict=True):
        if mine.shape == theirs.shape:
            theirs.assign(mine)
    x = np.zeros((1, *shape), "float32")
    assert value(other(x)).shape == (1, families.CLASSES)


@pytest.mark.parametrize(("name", "rank"), [("mvit", 5), ("swin3d", 5), ("uniformer", 5)])
def test_features_are_a_map(name, rank):
    model = families.build(name, include_top=False)
    assert len(model.output_shape) == rank
    assert value(model(families.clips(name))).shape[1:] == model.output_shape[1:]


def test_the_class_token_of_mvit():
    model = families.build("mvit", include_top=False, pooling="token")
    assert model.output_shape == (None, 32)


def test_tables_of_other_clips_are_interpolated_in_the_network():
    """As in the originals: a network with position tables of one clip size runs on another."""
    arguments = {"embed_dim": 8, "num_layers": 2, "downscale": (1,), "classes": 3}
    state = {}
    built = MViT(input_shape=(8, 64, 64, 3), **arguments)
    for variable in built.weights:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
        state[variable.path] = variable
    other = MViT(input_shape=(6, 40, 48, 3), position_shape=(8, 64, 64), **arguments)
    assert [v.shape for v in other.weights] == [v.shape for v in built.weights]
    plain = MViT(input_shape=(6, 40, 48, 3), **arguments)
    tables = [v for v in plain.weights if "rel_pos" in v.path]
    assert all(v.shape != state[v.path].shape for v in tables if "rel_pos_h" in v.path)
    for variable in plain.weights:
        layer = plain.get_layer(variable.path.split("/")[0])
        array = value(state[variable.path])
        if hasattr(layer, "fit_tensor"):
            array = layer.fit_tensor(variable.name, array)
        variable.assign(array)
    other.set_weights(built.get_weights())
    x = np.random.default_rng(1).normal(size=(1, 6, 40, 48, 3)).astype("float32")
    np.testing.assert_allclose(value(other(x)), value(plain(x)), rtol=1e-4, atol=1e-5)


def shapes(model_manifest):
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in model_manifest}


def identify(name):
    state = shapes(modern_reference.load(name).facts["manifest"])
    return find_architecture(state, recognize(state))


def test_networks_are_identified_by_names_and_shapes():
    swin = identify("mm_swin3d_tiny")
    assert swin.arguments == {"size": "tiny", "patch_size": (2, 4, 4)}
    mvit = identify("sf_mvitv2_s_16x4")
    assert mvit.constructor == "MViT" and mvit.arguments["size"] == "small"
    assert mvit.arguments["position_shape"] == (16, 224, 224)
    assert not mvit.undetermined
    assert identify("mm_uniformer_small").arguments == {"size": "small"}
    v2 = identify("mm_uniformerv2_base_p16").arguments
    assert v2 == {"size": "base", "num_decoders": 4, "input_shape": (8, 64, 64, 3)}


@pytest.mark.parametrize("name", ["swin3d", "mvit", "mvit_mlp", "uniformer"])
def test_small_networks_are_restored_from_a_file(name, tmp_path):
    """Tests unpublished sizes with MMAction2's names."""
    model = families.shared(name)
    names = {}
    for variable in model.weights:
        array, path = value(variable), file_name(variable.path)
        if variable.path.endswith("kernel"):
            array = np.moveaxis(array, (-2, -1), (1, 0))
        names[path] = array
    assert recognize(names).name == "mmaction2"
    path = tmp_path / "small.pth"
    torch_files.save_checkpoint(path, names, nest="state_dict")
    undetermined = {"swin3d": {"window_size": (2, 3, 3)}, "uniformer": {"head_dim": 8}}
    arguments = undetermined.get(name, {})
    if arguments:
        with pytest.raises(ValueError, match=f"do not determine its {list(arguments)[0]}"):
            keras_video.load(path)
    loaded = keras_video.load(
        path, input_shape=families.input_shape(name), classifier_activation=None, **arguments
    )
    x = families.clips(name)
    np.testing.assert_allclose(value(loaded(x)), value(model(x)), rtol=1e-5, atol=1e-5)
    load_state(families.build(name), names)


def file_name(path):
    """MMAction2's name of a variable."""
    for pattern, replacement in (
        (r"^(layers)_(\d)_(blocks)_(\d+)_", r"\1.\2.\3.\4."),
        (r"^(layers)_(\d)_downsample_", r"\1.\2.downsample."),
        (r"^(blocks\d?)_(\d+)_", r"\1.\2."),
        (r"^patch_embed(\d?)_", r"patch_embed\1."),
        (r"pointwise", "conv"),
        (r"attn_", "attn."),
        (r"mlp_", "mlp."),
        (r"^embedding/", ""),
        (r"/(kernel|gamma)$", ".weight"),
        (r"/(bias|beta)$", ".bias"),
        (r"/moving_mean$", ".running_mean"),
        (r"/moving_variance$", ".running_var"),
        (r"/", "."),
        (r"(blocks[34]\.\d+\.attn)\.out_proj", r"\1.proj"),
        (r"^fc_cls", "cls_head.fc_cls"),
        (r"^(?!cls_head)", "backbone."),
    ):
        path = re.sub(pattern, replacement, path)
    return path


def test_local_blocks_of_uniformer_v2(tmp_path):
    constructor, arguments = families.SMALL["uniformer_v2"]
    model = constructor(**arguments, local_blocks=2)
    assert sum("lmhra" in layer.name and layer.name.endswith("_add") for layer in model.layers) == 6
    families.randomize(model)
    clips = families.clips("uniformer_v2")
    expected = model.predict(clips, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(clips, verbose=0), expected, atol=1e-6)
    with pytest.raises(ValueError, match="local_blocks=3"):
        constructor(**arguments, local_blocks=3)
