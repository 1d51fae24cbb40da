"""Hierarchical transformers, S3D and mobile X3D under projects' names; see names_of_projects."""

import re

import numpy as np

from tests.weights.names_of_projects import named, parts, pointwise, split


def _applied(layer, rules):
    for pattern, replacement in rules:
        layer = re.sub(pattern, replacement, layer)
    return layer


def _renamed(state, rules):
    return {_applied(key, rules): array for key, array in state.items()}


BLOCKS = (
    (r"^(layers)_(\d)_blocks_(\d+)_", r"\1.\2.blocks.\3."),
    (r"^(layers)_(\d)_downsample_", r"\1.\2.downsample."),
    (r"^(blocks\d?)_(\d+)_", r"\1.\2."),
    (r"^transformer_(resblocks|dec)_(\d+)_", r"transformer.\1.\2."),
    (r"\.(attn|mlp)_", r".\1."),
    (r"^patch_embed(\d?)_", r"patch_embed\1."),
)


def _of_blocks(layer):
    return _applied(layer, BLOCKS)


def torchvision_swin3d(model):
    state = named(model, _of_blocks)
    renamed = {}
    for key, array in state.items():
        if match := re.match(r"layers\.(\d)\.(blocks|downsample)\.", key):
            place = 2 * int(match[1]) + (match[2] == "downsample")
            key = f"features.{place}.{key[match.end() :]}"
        key = key.replace("mlp.fc1", "mlp.0").replace("mlp.fc2", "mlp.3")
        renamed[re.sub("^norm3", "norm", re.sub("^fc_cls", "head", key))] = array
        if key.endswith("relative_position_bias_table"):
            renamed[key.replace("bias_table", "index")] = np.zeros(4, np.int64)
    return renamed


MVIT_TABLES = (
    (r"^embedding(cls_token)", r"\1"),
    (r"^embedding\.(pos_embed_\w+)", r"\1"),
)


def torchvision_mvit(model):
    state = _renamed(
        named(model, _of_blocks),
        (
            (r"^embeddingcls_token", "pos_encoding.class_token"),
            (r"^embedding\.pos_embed_(\w+)", r"pos_encoding.\1_pos"),
            (r"^patch_embed\.projection", "conv_proj"),
            (r"\.attn\.proj\.", ".attn.project.0."),
            (r"\.pool_([qkv])\.", r".pool_\1.pool."),
            (r"\.norm_([qkv])\.", r".pool_\1.norm_act.0."),
            (r"\.mlp\.fc1\.", ".mlp.0."),
            (r"\.mlp\.fc2\.", ".mlp.3."),
            (r"(blocks\.\d+)\.proj\.", r"\1.project."),
            (r"^norm3\.", "norm."),
            (r"^fc_cls\.", "head.1."),
        ),
    )
    for key in list(state):
        if key.startswith("pos_encoding."):
            places = state[key][0]
            state[key] = places[0] if "class" in key else places
    return state


def slowfast_mvit(model):
    rules = (
        *MVIT_TABLES,
        (r"^patch_embed\.projection", "patch_embed.proj"),
        (r"^norm3\.", "norm."),
        (r"^fc_cls\.", "head.projection."),
    )
    return _renamed(named(model, _of_blocks), rules)


def pytorchvideo_mvit(model):
    rules = (
        (r"^embedding(cls_token)", r"cls_positional_encoding.\1"),
        (r"^embedding\.", "cls_positional_encoding."),
        (r"^patch_embed\.projection", "patch_embed.patch_model"),
        (r"^norm3\.", "norm_embed."),
        (r"^fc_cls\.", "head.proj."),
    )
    state = _renamed(named(model, _of_blocks), rules)
    for leaf in ("weight", "bias"):
        places = [f"{{0}}{letter}.{leaf}" for letter in "qkv"]
        state = split(state, rf"(blocks\.\d+\.attn\.)qkv\.{leaf}", places)
    return state


def _in_mmaction2(state):
    prefixes = ((r"^fc_cls\.", "cls_head.fc_cls."), (r"^(?!cls_head)", "backbone."))
    return _renamed(state, prefixes)


def mmaction2_swin3d(model):
    return _in_mmaction2(named(model, _of_blocks))


def mmaction2_mvit(model):
    return _in_mmaction2(_renamed(named(model, _of_blocks), MVIT_TABLES))


def mmaction2_uniformer(model):
    rules = (
        (r"\.pointwise([12])\.", r".conv\1."),
        (r"\.attn\.out_proj\.", ".attn.proj."),
    )
    state = _renamed(named(model, _of_blocks), rules)
    return _in_mmaction2(pointwise(state, r"blocks[12]\.\d+\.(conv|mlp\.fc)"))


def mmaction2_uniformer_v2(model):
    """Joins queries, keys and values into one tensor, also in the decoder."""
    rules = (
        (r"^embeddingcls_token", "class_embedding"),
        (r"^embeddingpos_embed", "positional_embedding"),
        (r"^patch_embed\.", "conv1."),
        (r"\.attn\.qkv\.", ".attn.in_proj_"),
        (r"\.mlp\.c_", ".mlp.c_"),
        (r"^transformer_(dpe)_(\d+)\.", r"transformer.\1.\2."),
        (r"^transformer_(?:query|blend)\.", "transformer."),
        (r"^transformer_norm\.", "transformer.norm."),
    )
    state = _renamed(named(model, _of_blocks), rules)
    for key in [key for key in state if ".attn.query." in key]:
        places = [key.replace("query", part) for part in ("query", "key", "value")]
        fused = np.concatenate([state.pop(place) for place in places])
        state[key.replace("query.", "in_proj_")] = fused
    state["class_embedding"] = state["class_embedding"][0, 0]
    state["positional_embedding"] = state["positional_embedding"][0]
    state["conv1.weight"] = state["conv1.weight"][:, :, None]
    return _in_mmaction2(state)


def torchvision_s3d(model):
    def name(layer):
        if layer == "fc_cls":
            return "classifier.1"
        layer = re.sub(r"_(conv|bn)$", lambda match: ".0" if match[1] == "conv" else ".1", layer)
        return layer.replace("_", ".")

    return pointwise(named(model, name), r"^classifier")


def pytorchvideo_mobile_x3d(model):
    heads = {
        "conv1_s_conv": "s1.pathway0_stem_conv_xy.kernel.conv",
        "conv1_t_conv": "s1.pathway0_stem_conv.kernel.conv",
        "conv1_t_bn": "s1.pathway0_stem_conv.kernel.bn",
        "conv5_conv": "head.conv_5.kernel.conv",
        "conv5_bn": "head.conv_5.kernel.bn",
        "fc1": "head.lin_5.kernel.conv",
        "fc2": "projection.model",
    }

    def name(layer):
        if layer in heads:
            return heads[layer]
        stage, index, part = parts(layer)
        start = f"s{stage + 1}.pathway0_res{index}."
        if match := re.fullmatch(r"downsample_(conv|bn)", part):
            return f"{start}_res_proj.kernel.{match[1]}"
        if match := re.fullmatch(r"se_module_fc([12])", part):
            return f"{start}layers.se.se.block.{2 * int(match[1]) - 2}"
        number, leaf = re.fullmatch(r"conv([123])_(conv|bn)", part).groups()
        return f"{start}layers.conv_{int(number) - 1}.kernel.{leaf}"

    return pointwise(named(model, name), r"lin_5|\.se\.")
