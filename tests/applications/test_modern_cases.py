"""Networks of other projects compared with the logits of the original implementations.

Each file is written in the container its project publishes, read back, and loaded by `weights=`.
"""

import pickle

import pytest

from keras_video.applications import (
    C2D,
    CSN,
    I3D,
    S3D,
    TSM,
    VJEPA2,
    X3D,
    SlowFast,
    SlowOnly,
    TimeSformer,
    VideoMAE,
    VideoResNet,
    ViViT,
)
from tests import modern_reference
from tests.modern_reference import assert_computes, assert_equals_the_original, load
from tests.weights.test_dialects import BLOBS, renamed

NON_LOCAL = {
    "mode": "embedded_gaussian",
    "use_scale": True,
    "pool_first": True,
    "output_bias": True,
}
HUB_LAYERS = {
    "videomae.embeddings": "positions",
    "videomae.encoder.layer.0": "blocks_0",
    "videomae.encoder.layer.11": "blocks_11",
    "fc_norm": "fc_norm",
}
MMACTION2_LAYERS = {"backbone.blocks.0": "blocks_0", "backbone": "fc_norm"}
VIVIT_LAYERS = {
    "vivit.embeddings": "embedding",
    "vivit.layers.0": "blocks_0",
    "vivit.layernorm": "norm",
}
VJEPA2_LAYERS = {
    "vjepa2.encoder.layer.0#0": "blocks_0",
    "vjepa2.encoder.layernorm": "norm",
    "pooler.self_attention_layers.2#0": "pooler_self_attention_layers_2",
    "pooler": "pooler",
}
SIX_OF_23 = (3,) * 6 + (1,) * 17
VIDEO_RESNET = {"stem": "conv1_relu", **{f"layer{n}": f"layer{n}_1_relu" for n in range(1, 5)}}
CASES = {
    "ptv_slow_r50": (SlowOnly, {}),
    "ptv_slowfast_r50": (
        SlowFast,
        {"tau": 4, "alpha": 4, "fusion_kernel": 7, "lateral_norm": True},
    ),
    "ptv_slowfast_16x8_r101_50_50": (
        SlowFast,
        {
            "slow_depth": 101,
            "fast_depth": 101,
            "tau": 4,
            "alpha": 4,
            "lateral_norm": True,
            "slow_kernels": (1, 1, SIX_OF_23, 3),
            "fast_kernels": (3, 3, SIX_OF_23, 3),
        },
    ),
    # The norm of the first shortcut is the identity.
    "ptv_x3d_xs": (X3D, {"added_parameters": 48}),
    "ptv_x3d_m": (X3D, {"added_parameters": 48}),
    "ptv_csn_r101": (CSN, {"depth": 101, "epsilon": 1e-5}),
    "ptv_i3d_r50": (I3D, {"temporal_strides": (1, 1)}),
    "sf_slowfast_8x8_r50": (
        SlowFast,
        {"tau": 4, "alpha": 4, "fusion_kernel": 7, "lateral_norm": True},
    ),
    "sf_i3d_nln_8x8_r50": (I3D, {"temporal_strides": (1, 1), "non_local": NON_LOCAL}),
    "hf_timesformer_divided": (TimeSformer, {}),
    "timesformer_divided": (TimeSformer, {}),
    "tsm_r50": (TSM, {}),
    "tv_r3d_18": (VideoResNet, {"layers": VIDEO_RESNET}),
    "tv_r2plus1d_18": (
        VideoResNet,
        {
            "kind": "r2plus1d",
            "layers": VIDEO_RESNET
            | {
                "layer2.0.conv1": "layer2_0_conv1_relu",
                "layer2.0.conv2": "layer2_0_conv2_bn",
            },
        },
    ),
    "tv_s3d": (
        S3D,
        {
            "layers": {
                "features.0": "features_0_1_relu",
                "features.4": "features_4",
                "features.5": "features_5_joined",
                "features.7": "features_7",
                "features.12": "features_12_joined",
                "features.15": "features_15_joined",
                "avgpool": "avg_pool",
            }
        },
    ),
    "ptv_c2d_r50": (
        C2D,
        {
            "layers": {
                "blocks.0": "maxpool",
                "blocks.1": "layer1_2_relu",
                "blocks.2": "pool2",
                "blocks.5": "layer4_2_relu",
            }
        },
    ),
    "hf_videomae_base": (VideoMAE, {"epsilon": 1e-12, "head_epsilon": 1e-5, "layers": HUB_LAYERS}),
    "mm_videomae_base": (VideoMAE, {"layers": MMACTION2_LAYERS}),
    "mm_videomaev2_small": (VideoMAE, {"size": "small", "layers": MMACTION2_LAYERS}),
    "hf_vivit_base": (ViViT, {"layers": VIVIT_LAYERS}),
    # The predictor of the pretraining is not part of the classifier.
    "hf_vjepa2_large_depth6": (
        VJEPA2,
        {"num_layers": 6, "added_parameters": -7_890_304, "layers": VJEPA2_LAYERS},
    ),
}
LARGE = (
    "hf_videomae_base",
    "mm_videomae_base",
    "mm_videomaev2_small",
    "hf_vivit_base",
    "hf_vjepa2_large_depth6",
    "hf_timesformer_divided",
    "timesformer_divided",
    "ptv_slowfast_16x8_r101_50_50",
)


def cases():
    return [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in CASES]


@pytest.mark.parametrize("name", cases())
def test_equals_the_original(name, tmp_path):
    if modern_reference.suffix(load(name)) == ".safetensors":
        pytest.importorskip("safetensors")
    constructor, arguments = CASES[name]
    assert_equals_the_original(name, constructor, tmp_path, **arguments)


@pytest.mark.parametrize("name", ["sf_slowfast_8x8_r50", "sf_i3d_nln_8x8_r50"])
@pytest.mark.slow
def test_blobs_of_caffe2_equal_the_original(name, tmp_path):
    """The repository's weights under the names and in the pickle of its older files."""
    case = load(name)
    weights = case.weights()
    names = [name for name, _ in renamed(case.facts["manifest"], *BLOBS)]
    path = tmp_path / "blobs.pkl"
    blobs = dict(zip(names, weights.values(), strict=True))
    path.write_bytes(pickle.dumps({"blobs": {**blobs, "lr": 0.1}}, 2))
    clips = case.clips()
    constructor, arguments = CASES[name]
    model = constructor(
        weights=path,
        input_shape=clips.shape[1:],
        classes=case.classes,
        classifier_activation=None,
        **arguments,
    )
    assert_computes(model, case, clips, {})
