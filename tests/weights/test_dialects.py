"""Names of other projects are translated to layer names."""

import dataclasses
import re

import numpy as np
import pytest

from keras_video.applications import TSN, X3D, MViT
from keras_video.applications.architectures import find_architecture
from keras_video.weights import WeightsError, load_state
from keras_video.weights.dialects import DIALECTS, dialect_of, recognize
from keras_video.weights.dialects.recognition import recognize as recognize_among
from tests import modern_reference
from tests.weights import published

NAMES = [dialect.name for dialect in DIALECTS]


def shapes(manifest):
    """Tensors of these shapes that allocate no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in manifest}


def manifest(case):
    return modern_reference.load(case).facts["manifest"]


def renamed(names, *pairs):
    """`[name, shape]` with patterns replaced."""
    entries = []
    for name, shape in names:
        for pattern, replacement in pairs:
            name = re.sub(pattern, replacement, name)
        entries.append([name, shape])
    return entries


CASES = {
    "ptv_slow_r50": "pytorchvideo",
    "ptv_csn_r101": "pytorchvideo",
    "ptv_slowfast_r50": "pytorchvideo",
    "ptv_x3d_xs": "pytorchvideo_x3d",
    "sf_slowfast_8x8_r50": "slowfast",
    "sf_i3d_nln_8x8_r50": "slowfast",
    "hf_timesformer_divided": "transformers_timesformer",
    "timesformer_divided": "timesformer",
    "tsm_r50": "tsm",
    "tv_r3d_18": "torchvision_video_resnet",
    "tv_r2plus1d_18": "torchvision_video_resnet",
    "tv_s3d": "torchvision_s3d",
    "ptv_c2d_r50": "pytorchvideo",
    "hf_videomae_base": "transformers_videomae",
    "mm_videomae_base": "mmaction2_videomae",
    "mm_videomaev2_small": "mmaction2_videomae",
    "hf_vivit_base": "transformers_vivit",
    "hf_vjepa2_large_depth6": "transformers_vjepa2",
    "movinet_a0_base": "movinet",
    "movinet_a0_stream": "movinet",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("wrapper", ["", "module.", "model.", "_orig_mod.module."])
def test_dialects_are_recognized(case, wrapper):
    state = shapes([[wrapper + name, shape] for name, shape in manifest(case)])
    dialect = recognize(state)
    assert dialect.name == CASES[case]
    assert dialect.score(state) == 1


def test_names_of_dialects_are_unique():
    assert len({*NAMES}) == len(NAMES)


@pytest.mark.parametrize("row", published.LAYOUTS)
def test_every_layout_of_mmaction2_is_recognized_unambiguously(row):
    state = shapes(published.LAYOUTS[row])
    assert recognize(state).name == "mmaction2"
    assert recognize(state).score(state) == 1


def test_an_unknown_dialect_is_reported():
    with pytest.raises(WeightsError, match=r"'a.b', 'c'\) are of no known dialect.*dialect="):
        recognize({"a.b": np.zeros(1), "c": np.zeros(1)})
    with pytest.raises(ValueError, match="dialect='caffe': expected one of mmaction2"):
        dialect_of({}, "caffe")


def test_ties_that_mean_different_layers_are_errors():
    first = dataclasses.replace(DIALECTS[0], name="one", pattern="a", rules=(("a", "b"),))
    second = dataclasses.replace(first, name="two", rules=(("a", "c"),))
    same = dataclasses.replace(first, name="same")
    state = {"a": np.zeros(1)}
    with pytest.raises(WeightsError, match="dialects one and two equally.*dialect='one'"):
        recognize_among(state, (first, second, same))
    assert recognize_among(state, (first, same)) is first


def test_colliding_names_are_reported():
    state = {"module.backbone.conv1.conv.weight": np.zeros(1)}
    state["backbone.conv1.conv.weight"] = np.zeros(1)
    with pytest.raises(WeightsError, match="name the same tensor"):
        recognize(state).prepare(state)


def test_a_dialect_can_be_specified():
    state = {"fc.weight": np.zeros((2, 512), "float32"), "fc.bias": np.zeros(2, "float32")}
    model = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2)
    with pytest.raises(WeightsError, match="unexpected in the checkpoint: fc.weight, fc.bias"):
        load_state(model, state, dialect="torchvision_resnet")


BLOBS = (
    (r"^s1\.pathway0_stem\.conv\.", "conv1."),
    (r"^s1\.pathway0_stem\.bn\.", "res_conv1_bn."),
    (r"^s1\.pathway1_stem\.conv\.", "t_conv1."),
    (r"^s1\.pathway1_stem\.bn\.", "t_res_conv1_bn."),
    (r"^s1_fuse\.conv_f2s\.", "t_pool1_subsample."),
    (r"^s1_fuse\.bn\.", "t_pool1_subsample_bn."),
    (r"^s(\d)_fuse\.conv_f2s\.", r"t_res\1_2_branch2c_bn_subsample."),
    (r"^s(\d)_fuse\.bn\.", r"t_res\1_2_branch2c_bn_subsample_bn."),
    (r"^s(\d)\.pathway0_res(\d+)\.", r"res\1_\2_"),
    (r"^s(\d)\.pathway1_res(\d+)\.", r"t_res\1_\2_"),
    (r"^s(\d)\.pathway0_nonlocal(\d+)\.(?:conv_)?", r"nonlocal_conv\1_\2_"),
    (r"branch2\.", "branch2"),
    (r"^head\.projection\.", "pred."),
    (r"bn\.weight$", "bn_s"),
    (r"bn\.bias$", "bn_b"),
    (r"bn\.running_mean$", "bn_rm"),
    (r"bn\.running_var$", "bn_riv"),
    (r"\.weight$", "_w"),
    (r"\.bias$", "_b"),
)


@pytest.mark.parametrize("case", ["sf_slowfast_8x8_r50", "sf_i3d_nln_8x8_r50"])
def test_caffe2_blobs_map_to_the_layers_of_the_repository(case):
    theirs = shapes(manifest(case))
    blobs = shapes(renamed(manifest(case), *BLOBS))
    blobs["lr"] = blobs["conv1_w_momentum"] = np.zeros(1)
    dialect = recognize(blobs)
    assert dialect.name == "slowfast_caffe2"
    expected = recognize(theirs).translate(theirs)
    translated = dialect.translate(blobs)
    assert {name: a.shape for name, a in translated.items()} == {
        name: a.shape for name, a in expected.items()
    }


SLOWFAST_X3D = (
    (r"^blocks\.0\.conv\.conv_t\.", "s1.pathway0_stem.conv_xy."),
    (r"^blocks\.0\.conv\.conv_xy\.", "s1.pathway0_stem.conv."),
    (r"^blocks\.0\.norm\.", "s1.pathway0_stem.bn."),
    (r"^blocks\.5\.pool\.pre_conv\.", "head.conv_5."),
    (r"^blocks\.5\.pool\.pre_norm\.", "head.conv_5_bn."),
    (r"^blocks\.5\.pool\.post_conv\.", "head.lin_5."),
    (r"^blocks\.5\.proj\.", "head.projection."),
    *((rf"^blocks\.{n}\.res_blocks\.(\d+)\.", rf"s{n + 1}.pathway0_res\1.") for n in range(1, 5)),
    (r"branch1_conv", "branch1"),
    (r"branch1_norm", "branch1_bn"),
    (r"norm_b\.1\.block\.0", "se.fc1"),
    (r"norm_b\.1\.block\.2", "se.fc2"),
    (r"norm_b\.0", "norm_b"),
    (r"branch2\.conv_", "branch2."),
    (r"branch2\.norm_(.)", r"branch2.\1_bn"),
)
MOBILE_X3D = (
    *SLOWFAST_X3D,
    (r"^s1\.pathway0_stem\.conv_xy\.", "s1.pathway0_stem_conv_xy.kernel.conv."),
    (r"^s1\.pathway0_stem\.(conv|bn)\.", r"s1.pathway0_stem_conv.kernel.\1."),
    (r"^head\.conv_5\.", "head.conv_5.kernel.conv."),
    (r"^head\.conv_5_bn\.", "head.conv_5.kernel.bn."),
    (r"^head\.lin_5\.", "head.lin_5.kernel.conv."),
    (r"^head\.projection\.", "projection.model."),
    (r"\.branch1\.", "._res_proj.kernel.conv."),
    (r"\.branch1_bn\.", "._res_proj.kernel.bn."),
    (r"branch2\.se\.fc1", "layers.se.se.block.0"),
    (r"branch2\.se\.fc2", "layers.se.se.block.2"),
    *(
        rule
        for n, letter in enumerate("abc")
        for rule in (
            (rf"branch2\.{letter}\.", f"layers.conv_{n}.kernel.conv."),
            (rf"branch2\.{letter}_bn\.", f"layers.conv_{n}.kernel.bn."),
        )
    ),
)


@pytest.mark.parametrize(
    ("name", "rules"),
    [("slowfast_x3d", SLOWFAST_X3D), ("pytorchvideo_mobile_x3d", MOBILE_X3D)],
)
def test_other_names_of_x3d(name, rules):
    theirs = modern_reference.load("ptv_x3d_xs").weights()
    expected = recognize(theirs).translate(theirs)
    state = dict(
        zip((pair[0] for pair in renamed(theirs.items(), *rules)), theirs.values(), strict=True)
    )
    # These have the norm that PyTorchVideo omits.
    norm = {key: value for key, value in expected.items() if key.startswith("layer1.0.downsample")}
    kernel = "layer1.0.downsample.conv.weight"
    conv = next(key for key, value in state.items() if value is norm.get(kernel))
    for key, value in norm.items():
        if key != kernel:
            bn = re.sub(r"branch1\.weight$", "branch1_bn.", conv)
            bn = re.sub(r"kernel\.conv\.weight$", "kernel.bn.", bn)
            state[bn + key.rsplit(".", 1)[1]] = value
    dialect = recognize(state)
    assert dialect.name == name
    assert dialect.score(state) == 1
    translated = dialect.translate(state)
    assert translated.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(translated[key], value)


def test_a_missing_norm_changes_nothing():
    state = modern_reference.load("ptv_x3d_xs").weights()
    translated = recognize(state).translate(state)
    norm = {leaf: translated[f"layer1.0.downsample.bn.{leaf}"] for leaf in LEAVES}
    scale = norm["weight"] / np.sqrt(norm["running_var"].astype("float64") + 1e-5)
    np.testing.assert_allclose(scale, 1, rtol=1e-7)
    assert not norm["bias"].any()
    assert not norm["running_mean"].any()
    model = X3D(input_shape=(2, 32, 32, 3))
    load_state(model, state)


LEAVES = ("weight", "bias", "running_mean", "running_var")


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("ptv_slowfast_r50", "blocks.6.proj.weight"),
        ("sf_slowfast_8x8_r50", "head.projection.weight"),
    ],
)
def test_the_classifier_reads_fast_before_slow(case, name):
    state = shapes(manifest(case))
    kernel = np.arange(2304, dtype=np.float32)[None].repeat(400, axis=0)
    translated = recognize(state).translate({**state, name: kernel})
    expected = [*range(2048, 2304), *range(2048)]
    np.testing.assert_array_equal(translated["fc_cls.weight"][0], expected)


@pytest.mark.parametrize("times", [True, False])
def test_timesformer_without_attention_over_time(times):
    kept = [
        [name, shape]
        for name, shape in manifest("timesformer_divided")
        if "temporal" not in name and (times or "time_embed" not in name)
    ]
    state = shapes(kept)
    assert recognize(state).name == "timesformer"
    translated = recognize(state).translate(state)
    layer = "transformer_layers.layers.3."
    for name in ("norms.0.weight", "norms.1.bias", "attentions.0.attn.qkv.weight"):
        assert layer + name in translated
    assert ("embedding.time_embed" in translated) == times


def test_hugging_face_without_attention_over_time():
    kept = [pair for pair in manifest("hf_timesformer_divided") if "temporal" not in pair[0]]
    state = shapes(kept)
    translated = recognize(state).translate(state)
    original = [pair for pair in manifest("timesformer_divided") if "temporal" not in pair[0]]
    expected = recognize(shapes(original)).translate(shapes(original))
    assert translated.keys() == expected.keys()


def test_hugging_face_and_the_repository_name_the_same_layers():
    ours = [shapes(manifest(c)) for c in ("hf_timesformer_divided", "timesformer_divided")]
    hub, repository = [recognize(state).translate(state) for state in ours]
    assert hub.keys() == repository.keys()
    assert all(hub[name].shape == repository[name].shape for name in hub)


def test_names_of_tam():
    """The adaptive networks' blocks are in `net`, beside `tam`."""
    theirs = renamed(
        published.LAYOUTS["t20_r00"],
        (r"^cls_head\.fc_cls\.", "module.new_fc."),
        (r"^backbone\.", "module.base_model."),
        (r"\.block\.", ".net."),
        (r"(conv\d)\.conv\.", r"\1."),
        (r"conv(\d)\.bn\.", r"bn\1."),
        (r"downsample\.conv\.", "downsample.0."),
        (r"downsample\.bn\.", "downsample.1."),
    )
    state, mmaction2 = shapes(theirs), shapes(published.LAYOUTS["t20_r00"])
    assert recognize(state).name == "tam"
    translated = recognize(state).translate(state)
    assert set(translated) == set(recognize(mmaction2).translate(mmaction2))


def test_names_of_tsn_and_trn():
    theirs = renamed(
        published.LAYOUTS["t28_r00"],
        (r"^cls_head\.fc_cls\.", "module.new_fc."),
        (r"^cls_head\.", "module."),
        (r"^backbone\.", "module.base_model."),
        (r"(conv\d)\.conv\.", r"\1."),
        (r"conv(\d)\.bn\.", r"bn\1."),
        (r"downsample\.conv\.", "downsample.0."),
        (r"downsample\.bn\.", "downsample.1."),
    )
    state, mmaction2 = shapes(theirs), shapes(published.LAYOUTS["t28_r00"])
    assert recognize(state).name == "tsn"
    translated = recognize(state).translate(state)
    assert set(translated) == set(recognize(mmaction2).translate(mmaction2))


def test_non_local_blocks_of_tsms_repository():
    """Their last convolution has a bias, which is folded into the following norm."""
    mmaction2 = published.state("t30_r11")
    pairs = [
        (r"^cls_head\.fc_cls\.", "module.new_fc."),
        (r"^backbone\.", "module.base_model."),
        (r"\.non_local_block\.(g|phi)\.0\.conv\.", r".nl.\1.0."),
        (r"\.non_local_block\.theta\.conv\.", ".nl.theta."),
        (r"\.non_local_block\.conv_out\.conv\.", ".nl.W.0."),
        (r"\.non_local_block\.conv_out\.bn\.", ".nl.W.1."),
        (r"(conv\d)\.conv\.", r"\1."),
        (r"conv(\d)\.bn\.", r"bn\1."),
        (r"downsample\.conv\.", "downsample.0."),
        (r"downsample\.bn\.", "downsample.1."),
    ]
    names = [name for name, _ in renamed(mmaction2.items(), *pairs)]
    state = dict(zip(names, mmaction2.values(), strict=True))
    block = "module.base_model.layer2.0.nl.W."
    bias = np.full(512, 0.25, np.float32)
    state[f"{block}0.bias"] = bias
    dialect = recognize(state)
    assert dialect.name == "tsm"
    assert dialect.score(state) == 1
    translated = dialect.translate(state)
    expected = recognize(mmaction2).translate(mmaction2)
    assert translated.keys() == expected.keys()
    mean = "layer2.0.non_local_block.conv_out.bn.running_mean"
    np.testing.assert_array_equal(translated[mean], expected[mean] - bias)


HIERARCHICAL = {
    "tv_swin3d_t": "torchvision_swin3d",
    "mm_swin3d_tiny": "mmaction2",
    "tv_mvit_v2_s": "torchvision_mvit",
    "sf_mvitv2_s_16x4": "slowfast_mvit",
    "mm_uniformer_small": "mmaction2",
    "mm_uniformerv2_base_p16": "mmaction2",
    "mm_uniformerv2_local1": "mmaction2",
    "mm_uniformerv2_local2": "mmaction2",
}


@pytest.mark.parametrize("case", HIERARCHICAL)
@pytest.mark.parametrize("wrapper", ["", "module.", "model."])
def test_dialects_of_hierarchical_transformers(case, wrapper):
    state = shapes([[wrapper + name, shape] for name, shape in manifest(case)])
    assert recognize(state).name == HIERARCHICAL[case]
    assert recognize(state).score(state) == 1


def translated_shapes(names):
    state = shapes(names)
    return {name: a.shape for name, a in recognize(state).translate(state).items()}


MVIT_OF_MMACTION2 = (
    (r"^head\.projection\.", "cls_head.fc_cls."),
    (r"^norm\.", "norm3."),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^(?!cls_head)", "backbone."),
)


def test_projects_name_the_same_layers():
    assert translated_shapes(manifest("tv_swin3d_t")) == translated_shapes(
        manifest("mm_swin3d_tiny")
    )
    slowfast = translated_shapes(manifest("sf_mvitv2_s_16x4"))
    assert translated_shapes(manifest("tv_mvit_v2_s")) == slowfast
    mmaction2 = renamed(manifest("sf_mvitv2_s_16x4"), *MVIT_OF_MMACTION2)
    assert recognize(shapes(mmaction2)).name == "mmaction2"
    assert translated_shapes(mmaction2) == slowfast


MVIT_V1 = {
    "torchvision_mvit": (
        (r"^cls_token$", "pos_encoding.class_token"),
        (r"^pos_embed_(\w+)$", r"pos_encoding.\1_pos"),
        (r"^patch_embed\.proj\.", "conv_proj."),
        (r"\.attn\.proj\.", ".attn.project.0."),
        (r"(blocks\.\d+)\.proj\.", r"\1.project."),
        (r"\.pool_([qkv])\.", r".pool_\1.pool."),
        (r"\.norm_([qkv])\.", r".pool_\1.norm_act.0."),
        (r"\.mlp\.fc1\.", ".mlp.0."),
        (r"\.mlp\.fc2\.", ".mlp.3."),
        (r"^head\.projection\.", "head.1."),
    ),
    "slowfast_mvit": (),
    "pytorchvideo_mvit": (
        (r"^(cls_token|pos_embed_\w+)$", r"cls_positional_encoding.\1"),
        (r"^patch_embed\.proj\.", "patch_embed.patch_model."),
        (r"^norm\.", "norm_embed."),
        (r"^head\.projection\.", "head.proj."),
    ),
}


@pytest.mark.parametrize("parted", [True, False])
@pytest.mark.parametrize("dialect", MVIT_V1)
def test_names_of_the_first_mvit(dialect, parted):
    """Separate position tables; queries, keys and values from one layer or three."""
    model = MViT(
        version=1, embed_dim=8, num_layers=2, downscale=(1,), input_shape=(2, 32, 32, 3), classes=3
    )
    rng = np.random.default_rng(0)
    expected, theirs = {}, {}
    for variable in model.weights:
        value = rng.normal(size=variable.shape).astype("float32")
        expected[variable.path] = value
        name, array = name_in_slowfast(variable.path), value
        if variable.path.endswith("kernel"):
            array = np.moveaxis(value, (-2, -1), (1, 0))
        if parted and ".qkv." in name and dialect != "torchvision_mvit":
            for letter, part in zip("qkv", np.split(array, 3), strict=True):
                theirs[name.replace(".qkv.", f".{letter}.")] = part
        else:
            theirs[name] = array
    state = {renamed([(name, ())], *MVIT_V1[dialect])[0][0]: a for name, a in theirs.items()}
    if dialect == "torchvision_mvit":
        flat = {"pos_encoding.class_token", "pos_encoding.class_pos"}
        state = {k: v.reshape(v.shape[1:]) if "pos_enc" in k else v for k, v in state.items()}
        state = {k: v.reshape(-1) if k in flat else v for k, v in state.items()}
    assert recognize(state).name == dialect
    assert recognize(state).score(state) == 1
    load_state(model, state)
    for variable in model.weights:
        np.testing.assert_array_equal(variable, expected[variable.path])
    arguments = find_architecture(state, recognize(state)).arguments
    assert (arguments["version"], arguments["embed_dim"], arguments["downscale"]) == (1, 8, (1,))
    assert arguments["position_shape"] == (2, 32, 32)


def name_in_slowfast(path):
    """The SlowFast repository's name of an MViT variable."""
    path = re.sub(r"blocks_(\d+)_", r"blocks.\1.", path).replace("/", ".")
    for pattern, replacement in (
        (r"attn_", "attn."),
        (r"mlp_fc", "mlp.fc"),
        (r"^embedding\.", ""),
        (r"^patch_embed_projection", "patch_embed.proj"),
        (r"^norm3", "norm"),
        (r"^fc_cls", "head.projection"),
        (r"\.(kernel|gamma)$", ".weight"),
        (r"\.beta$", ".bias"),
    ):
        path = re.sub(pattern, replacement, path)
    return path
