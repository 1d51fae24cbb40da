"""Identifying the network of a checkpoint from the names and shapes of its tensors."""

import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications.architectures import find_architecture
from keras_video.weights.dialects import recognize
from tests import modern_reference
from tests.weights import published

pytestmark = pytest.mark.unit

SIX_OF_23 = (3,) * 6 + (1,) * 17
CASES = {
    "ptv_slow_r50": ("SlowOnly", {"depth": 50, "non_local": None}, {"first_pool"}),
    "ptv_slowfast_r50": (
        "SlowFast",
        {"slow_depth": 50, "fast_depth": 50, "beta_inv": 8, "fusion_kernel": 7}
        | {"lateral_norm": True},
        {"tau", "alpha"},
    ),
    "ptv_slowfast_16x8_r101_50_50": (
        "SlowFast",
        {"slow_depth": 101, "fast_depth": 101, "beta_inv": 8, "fusion_kernel": 5}
        | {"lateral_norm": True}
        | {"slow_kernels": (1, 1, SIX_OF_23, 3), "fast_kernels": (3, 3, SIX_OF_23, 3)},
        {"tau", "alpha"},
    ),
    "ptv_x3d_xs": ("X3D", {"gamma_w": 1, "gamma_b": 2.25, "gamma_d": 2.2}, set()),
    "ptv_csn_r101": ("CSN", {"depth": 101, "mode": "ir"}, {"epsilon"}),
    "ptv_i3d_r50": ("I3D", {"depth": 50, "heavy": False, "non_local": None}, {"temporal_strides"}),
    "sf_i3d_nln_8x8_r50": ("I3D", {"depth": 50, "heavy": False}, {"temporal_strides", "non_local"}),
    "hf_timesformer_divided": (
        "TimeSformer",
        {"attention": "divided_space_time", "patch_size": 16, "embed_dim": 768, "num_layers": 12}
        | {"input_shape": (8, 224, 224, 3)},
        {"num_heads"},
    ),
    "tsm_r50": ("TSM", {"backbone": "resnet50", "temporal_pool": False}, {"segments"}),
    "tv_r3d_18": ("VideoResNet", {"kind": "r3d", "depth": 18}, set()),
    "tv_r2plus1d_18": (
        "VideoResNet",
        {"kind": "r2plus1d", "depth": 18, "middle_width": "block", "epsilon": 1e-5},
        set(),
    ),
    "tv_s3d": ("S3D", {}, set()),
    "ptv_c2d_r50": ("C2D", {"depth": 50, "temporal_pool": True}, set()),
    "hf_videomae_base": ("VideoMAE", {"size": "base"}, {"epsilon", "head_epsilon"}),
    "mm_videomae_base": ("VideoMAE", {"size": "base"}, {"epsilon", "head_epsilon"}),
    "mm_videomaev2_small": ("VideoMAE", {"size": "small"}, {"epsilon", "head_epsilon"}),
    "hf_vivit_base": ("ViViT", {"size": "base"}, {"input_shape"}),
    "hf_vjepa2_large_depth6": (
        "VJEPA2",
        {"size": "large", "num_layers": 6, "pooler_layers": 3},
        set(),
    ),
}

# Arguments that the weights do not depend on.
WEIGHTLESS = {"dropout", "classifier_activation"}


def shapes(manifest):
    """Tensors of these shapes that allocate no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in manifest}


def detected(manifest):
    state = shapes(manifest)
    return find_architecture(state, recognize(state))


@pytest.mark.parametrize("name", CASES)
def test_networks_of_other_projects(name):
    network = detected(modern_reference.load(name).facts["manifest"])
    constructor, arguments, undetermined = CASES[name]
    assert network.constructor == constructor
    assert network.arguments == arguments
    assert network.undetermined.keys() == undetermined


@pytest.mark.parametrize("row", published.LAYOUTS)
def test_published_rows(row):
    if row == "u25":
        pytest.skip("layers of a factorized audio network are ambiguous")
    network, row = detected(published.LAYOUTS[row]), zoo.row(row)
    assert network.constructor == row.constructor
    for name, value in row.arguments.items():
        if name in network.arguments:
            assert network.arguments[name] == value, name
        elif row.constructor != "TSN":  # any number of frames is valid
            assert name in network.undetermined or name in WEIGHTLESS or value is None, name


def test_mobile_networks_of_tsms_repository():
    manifest = []
    for name, shape in published.LAYOUTS["t30_r14"]:
        manifest.append([mobile_name(name), shape])
    network = detected(manifest)
    assert network.constructor == "TSM"
    assert network.arguments["backbone"] == "mobilenet_v2"
    ours = {name.removeprefix("backbone.").removeprefix("cls_head.").replace(".net.", ".")
            for name, _ in published.LAYOUTS["t30_r14"]}  # fmt: skip
    state = shapes(manifest)
    assert recognize(state).name == "tsm"
    assert set(recognize(state).translate(state)) == ours


def mobile_name(name):
    """The name in TSM's repository of a tensor of MMAction2's MobileNetV2."""
    parts = name.split(".")
    if parts[0] == "cls_head":
        return f"module.new_fc.{parts[-1]}"
    leaf, module = parts[-1], parts[-2]
    if parts[1] in ("conv1", "conv2"):
        number = 0 if parts[1] == "conv1" else 18
        return f"module.base_model.features.{number}.{int(module == 'bn')}.{leaf}"
    stage, block, part = int(parts[1][5:]), int(parts[2]), int(parts[4])
    number = 1 + sum((1, 2, 3, 4, 3, 3, 1)[: stage - 1]) + block
    place = 3 * part + (module == "bn")
    net = ".net" if ".net." in name and module == "conv" else ""
    return f"module.base_model.features.{number}.conv.{place}{net}.{leaf}"


def test_an_unknown_network_is_none():
    manifest = [["backbone.conv1.conv.weight", (64, 3, 9, 9, 9)]]
    assert detected(manifest) is None
