"""Hierarchical transformers compared with the logits of the original implementations."""

import pytest

import keras_video
from keras_video.applications import MViT, Swin3D, UniFormer, UniFormerV2
from tests import modern_reference

CASES = {
    "tv_swin3d_t_small": (
        Swin3D,
        {"size": "tiny"},
        {
            "patch_embed": "patch_embed_norm",
            "features.0.1": "layers_0_blocks_1_add2",
            "features.5": "layers_2_downsample_reduction",
            "norm": "norm3",
        },
    ),
    "tv_swin3d_t": (Swin3D, {"size": "tiny"}, {"features.6": "layers_3_blocks_1_add2"}),
    "mm_swin3d_tiny": (
        Swin3D,
        {"size": "tiny"},
        {"backbone.layers.3": "layers_3_blocks_1_add2"},
    ),
    "tv_mvit_v2_s": (
        MViT,
        {},
        {
            "pos_encoding": "embedding",
            "blocks.0.attn#0": "blocks_0_attn",
            "blocks.0#0": "blocks_0_add2",
            "blocks.1#0": "blocks_1_add2",
            "blocks.13#0": "blocks_13_add2",
            "norm": "norm3",
        },
    ),
    "sf_mvitv2_s_16x4": (MViT, {}, {"blocks.15#0": "blocks_15_add2"}),
    "mm_uniformer_small": (
        UniFormer,
        {},
        {
            "backbone.patch_embed1": "patch_embed1_norm",
            "backbone.blocks1.0": "blocks1_0_add2",
            "backbone.blocks3.0": "blocks3_0_add2",
            "backbone.norm": "norm",
        },
    ),
    "mm_uniformerv2_base_p16": (
        UniFormerV2,
        {},
        {
            "backbone.ln_pre": "ln_pre",
            "backbone.transformer.dpe.0": "transformer_dpe_0",
            "backbone": "transformer_norm",
        },
    ),
    **{
        f"mm_uniformerv2_local{number}": (
            UniFormerV2,
            {
                "patch_size": 8,
                "embed_dim": 48,
                "num_layers": 3,
                "num_heads": 2,
                "num_decoders": 2,
                "local_blocks": number,
            },
            {"backbone.ln_pre": "ln_pre", "backbone": "transformer_norm"},
        )
        for number in (1, 2)
    },
}
LARGE = ("mm_uniformerv2_base_p16", "tv_swin3d_t", "tv_mvit_v2_s", "sf_mvitv2_s_16x4")


def cases():
    return [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in CASES]


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", cases())
def test_equals_the_original(name, tmp_path):
    constructor, arguments, layers = CASES[name]
    modern_reference.assert_equals_the_original(
        name, constructor, tmp_path, layers=layers, **arguments
    )


# In CI, the logits of these files are compared, and files of other families are opened this way.
@pytest.mark.slow
@pytest.mark.parametrize("name", cases())
def test_a_file_is_opened_by_its_names_and_shapes(name, tmp_path):
    case = modern_reference.load(name)
    clips = case.clips()
    # A file does not determine the number of heads of an unpublished width.
    heads = {"num_heads": 2} if name.startswith("mm_uniformerv2_local") else {}
    model = keras_video.load(
        case.write(tmp_path), input_shape=clips.shape[1:], classifier_activation=None, **heads
    )
    modern_reference.assert_computes(model, case, clips, {})
