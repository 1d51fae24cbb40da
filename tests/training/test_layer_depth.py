import re

import pytest

from keras_video.training.layer_depth import layer_depths
from keras_video.training.optimizers import no_decay_pattern
from tests.applications import families

# Of small networks: variables and their depths, and the depth of the classifier.
DEPTHS = {
    "videomae": {
        "patch_embed_projection/kernel": 0,
        "blocks_0/attn/qkv/kernel": 1,
        "blocks_1/mlp_fc2/bias": 2,
        "fc_norm/gamma": 3,
        "fc_cls/kernel": 3,
    },
    "vivit": {"embedding/pos_embed": 0, "embedding/cls_token": 0, "blocks_1/norm1/gamma": 2,
              "norm/gamma": 3},
    "vjepa2": {"patch_embed_projection/bias": 0, "blocks_0/norm2/beta": 1, "norm/beta": 3,
               "pooler_self_attention_layers_0/attn/qkv/kernel": 3, "pooler/query_tokens": 3},
    "timesformer": {
        "patch_embed_projection/kernel": 0,
        "embedding/time_embed": 0,
        "transformer_layers_layers_0_attentions_0_norm/gamma": 1,
        "transformer_layers_layers_1_ffns_0_layers_1/kernel": 2,
        "norm/gamma": 3,
    },
    "swin3d": {
        "patch_embed_norm/gamma": 0,
        "layers_0_blocks_1_attn/relative_position_bias_table": 2,
        "layers_0_downsample_reduction/kernel": 2,
        "layers_1_blocks_0_norm1/gamma": 3,
        "layers_1_blocks_1_mlp_fc1/kernel": 4,
        "norm3/gamma": 5,
        "fc_cls/bias": 5,
    },
    "mvit": {
        "patch_embed_projection/kernel": 0,
        "embedding/cls_token": 0,
        "blocks_0_attn/rel_pos_t": 1,
        "blocks_2_mlp_fc2/kernel": 3,
        "norm3/beta": 4,
    },
    "uniformer": {
        "patch_embed1_proj/kernel": 0,
        "patch_embed1_norm/gamma": 0,
        "blocks1_0_pos_embed/kernel": 1,
        "patch_embed2_proj/kernel": 1,
        "blocks2_0_attn/kernel": 2,
        "patch_embed4_norm/gamma": 3,
        "blocks4_0_attn/qkv/kernel": 4,
        "norm/gamma": 5,
    },
    "uniformer_v2": {
        "patch_embed/kernel": 0,
        "embedding/pos_embed": 0,
        "ln_pre/gamma": 0,
        "transformer_resblocks_2_mlp_c_fc/kernel": 3,
        "transformer_dpe_0/kernel": 4,
        "transformer_query/temporal_cls_token": 4,
        "transformer_blend/balance": 4,
        "fc_cls/kernel": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", DEPTHS)
def test_depths_follow_the_blocks(name):
    paths = [variable.path for variable in families.shared(name).trainable_variables]
    depths = layer_depths(paths)
    missing = [path for path in DEPTHS[name] if path not in depths]
    assert not missing, (missing, paths)
    assert {path: depths[path] for path in DEPTHS[name]} == DEPTHS[name]
    # Every depth between start and classifier has variables, and deeper ones come later.
    assert sorted(set(depths.values())) == list(range(max(depths.values()) + 1))
    assert depths["fc_cls/kernel"] == max(depths.values())


def test_frozen_blocks_do_not_change_distances():
    paths = [f"blocks_{index}/attn/qkv/kernel" for index in range(6, 12)] + ["fc_cls/kernel"]
    depths = layer_depths(paths)
    assert [depths[path] for path in paths] == [7, 8, 9, 10, 11, 12, 13]


def test_networks_without_blocks_are_rejected():
    with pytest.raises(ValueError, match="received 2 variables such as layer1_0_conv1_conv/kernel"):
        layer_depths(["layer1_0_conv1_conv/kernel", "fc_cls/kernel"])


@pytest.mark.parametrize("name", DEPTHS)
def test_only_kernels_decay(name):
    pattern = no_decay_pattern(norms=True, vectors=True, tables=True)
    for variable in families.shared(name).trainable_variables:
        decays = not re.search(pattern, variable.path)
        assert decays == variable.path.endswith("/kernel"), variable.path
        if len(variable.shape) == 1:
            assert not decays, variable.path


def test_parts_that_decay_can_be_chosen():
    def left_out(**parts):
        pattern = no_decay_pattern(**parts)
        paths = ("a/gamma", "a/bias", "b/q_bias", "c/pos_embed", "c/pos_embed_class", "d/kernel")
        return [path for path in paths if pattern and re.search(pattern, path)]

    assert left_out() == []
    assert left_out(norms=True) == ["a/gamma"]
    assert left_out(vectors=True) == ["a/bias", "b/q_bias"]
    assert left_out(tables=True) == ["c/pos_embed", "c/pos_embed_class"]
    assert len(left_out(norms=True, vectors=True, tables=True)) == 5
