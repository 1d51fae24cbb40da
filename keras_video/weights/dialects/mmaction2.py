"""MMAction2, 0.x and 1.x, where names follow the modules of its recognizers.

This package's layers have the names of MMAction2's modules, so the rules only undo wrappers.
"""

import re

import numpy as np

from keras_video.weights.dialects import torchvision_densenet, torchvision_resnet
from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either
from keras_video.weights.dialects.timm_swin import BODY as SWIN
from keras_video.weights.dialects.torchvision_densenet import BODY as DENSENET
from keras_video.weights.dialects.torchvision_resnet import BODY as RESNET

# A convolution module holds `conv` and `bn`, which have further modules if it is factorized.
INSIDE = r"(?:net\.)?(?:conv|bn)(?:\.\w+)*"
RESIDUAL = either(
    rf"conv\w*\.{INSIDE}",
    rf"layer\d\.(?:net\.)?\d+\.(?:block\.)?conv\d?\.(?:\d\.)?{INSIDE}",
    rf"layer\d\.(?:net\.)?\d+\.(?:block\.)?downsample\.{INSIDE}",
    rf"layer\d\.\d+\.non_local_block\.(?:theta|(?:g|phi)(?:\.0)?|conv_out)\.{INSIDE}",
    r"layer\d\.\d+\.(?:se_module\.fc[12]|tam\.[GL]\.\d)\.\w+",
    rf"layer\d_lateral\.{INSIDE}",
)
TRANSFORMER = either(
    r"transformer_layers\.layers\.\d+\.(?:attentions|ffns|norms)\.\d\.(?:\w+\.)*\w+",
    r"patch_embed\.projection\.(?:weight|bias)",
)
POOLED = either(
    r"blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|proj|norm_[qkv])|mlp\.fc[12]|proj)\.(?:weight|bias)",
    r"blocks\.\d+\.attn\.(?:pool_[qkv]\.weight|rel_pos_[hwt])",
)
UNIFORMER = either(
    r"patch_embed[1-4]\.(?:proj|norm)\.(?:weight|bias)",
    rf"blocks[1-4]\.\d+\.(?:pos_embed|norm[12]|conv[12]|attn|mlp\.fc[12])\.{PARAMETER}",
    r"blocks[34]\.\d+\.attn\.(?:qkv|proj)\.(?:weight|bias)",
    rf"norm\.{PARAMETER}",
)
UNIFORMER_V2 = either(
    r"class_embedding|positional_embedding|conv1\.weight|ln_pre\.(?:weight|bias)",
    r"transformer\.(?:temporal_cls_token|balance|norm\.(?:weight|bias))",
    r"transformer\.(?:resblocks|dec)\.\d+\.attn\.(?:in_proj_|out_proj\.)(?:weight|bias)",
    r"transformer\.(?:resblocks|dec)\.\d+\.(?:ln_[123]|mlp\.c_fc|mlp\.c_proj)\.(?:weight|bias)",
    rf"transformer\.resblocks\.\d+\.lmhra[12]\.pos_embed\.[0-3]\.{PARAMETER}",
    r"transformer\.dpe\.\d+\.(?:weight|bias)",
)
HEAD = r"cls_head\.(?:fc_cls|fc[12]|consensus(?:\.\w+)+)\.(?:weight|bias)"
NECK = (
    r"neck\.(?:aux_head|downsample_ops|level_fusion_\d|pyramid_fusion|spatial_modulation"
    r"|temporal_modulation_ops)\.(?:\w+\.)*\w+"
)

# Shifted, pooled and non-local modules are wrapped: the inner module is called `net` or `block`.
WRAPPED = ((r"\.(net|block)(?=\.)", ""),)

# Temporal interlacing and the convolution are in one module.
INTERLACED = (
    (r"\.conv\.net1\.", ".interlace."),
    (r"\.conv\.net2\.", ".conv."),
)

# Parameters that are not in a submodule.
TOKENS = (
    (r"\.in_proj_(weight|bias)$", r".qkv.\1"),
    (r"(^|\.)(cls_token|pos_embed|time_embed)$", r"\1embedding.\2"),
)

# Names of UniFormer and UniFormerV2 that mean something else in other families.
UNIFORM = (
    (r"(blocks[12]\.\d+)\.conv([12])\.", r"\1.pointwise\2."),
    (r"(blocks[34]\.\d+\.attn)\.proj\.", r"\1.out_proj."),
    (r"(^|\.)class_embedding$", r"\1cls_token"),
    (r"(^|\.)positional_embedding$", r"\1pos_embed"),
    (r"\btransformer\.temporal_cls_token$", "transformer.query.temporal_cls_token"),
    (r"\btransformer\.balance$", "transformer.blend.balance"),
)

MODULES = ((r"^(backbone|cls_head)\.", ""),)


def split_projections(state):
    """Splits a decoder's joint projection into separate ones of queries, keys and values."""
    split = {}
    for name, array in state.items():
        match = re.fullmatch(r"(.*\btransformer\.dec\.\d+\.attn)\.in_proj_(weight|bias)", name)
        if match is None or array.shape[0] % 3:
            split[name] = array
            continue
        for letter, part in zip(("query", "key", "value"), np.split(array, 3), strict=True):
            split[f"{match[1]}.{letter}.{match[2]}"] = part
    return split


def name_patches(state):
    """Distinguishes UniFormerV2's patch embedding from the first convolution of a ResNet.

    Its class token and position embeddings are reshaped to `(1, positions, width)`.
    """
    if not any(name.endswith("positional_embedding") for name in state):
        return state
    flat = re.compile(r".*\b(?:class_embedding|positional_embedding)")
    return {
        re.sub(r"\bconv1\.weight$", "patch_embed.weight", name): (
            array.reshape(1, -1, array.shape[-1]) if flat.fullmatch(name) else array
        )
        for name, array in state.items()
    }


MMACTION2 = Dialect(
    name="mmaction2",
    pattern=either(
        rf"(?:backbone\.)?(?:\w+_path\.)?(?:{RESIDUAL})",
        rf"(?:backbone\.)?(?:{TRANSFORMER})",
        r"(?:backbone\.)?fc[67]\.(?:weight|bias)",
        r"backbone\.(?:cls_token|pos_embed|time_embed|norm\.(?:weight|bias))",
        rf"backbone\.(?:{RESNET}|{DENSENET})\.{PARAMETER}",
        rf"backbone\.(?:{SWIN})",
        rf"backbone\.(?:{POOLED}|{UNIFORMER}|{UNIFORMER_V2})",
        r"backbone\.norm3\.(?:weight|bias)",
        HEAD,
        NECK,
    ),
    rules=(
        *UNIFORM,
        *INTERLACED,
        *WRAPPED,
        *torchvision_densenet.RULES,
        *torchvision_resnet.RULES,
        *TOKENS,
        *MODULES,
    ),
    transforms=(split_projections, name_patches),
    head=r"(?:cls_head|neck\.aux_head)\.",
    arguments={"CSN": {"epsilon": 1e-3}, "I3D": {"temporal_strides": None}},
)
