"""MMAction2, 0.x and 1.x, as far as names follow the modules of its recognizers.

Layers here are called what MMAction2 calls its modules, so the rules only undo wrappers.
"""

from keras_video.weights.dialects import torchvision_densenet, torchvision_resnet
from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either
from keras_video.weights.dialects.timm_swin import BODY as SWIN
from keras_video.weights.dialects.torchvision_densenet import BODY as DENSENET
from keras_video.weights.dialects.torchvision_resnet import BODY as RESNET

# A convolution module holds `conv` and `bn`, and more inside of these where it is factorised.
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
HEAD = r"cls_head\.(?:fc_cls|fc[12]|consensus(?:\.\w+)+)\.(?:weight|bias)"
NECK = (
    r"neck\.(?:aux_head|downsample_ops|level_fusion_\d|pyramid_fusion|spatial_modulation"
    r"|temporal_modulation_ops)\.(?:\w+\.)*\w+"
)

# Shifted, pooled and non-local modules are wrapped, the wrapped module becomes `net` or `block`.
WRAPPED = ((r"\.(net|block)(?=\.)", ""),)

# Temporal interlacing precedes the convolution inside of one module.
INTERLACED = (
    (r"\.conv\.net1\.", ".interlace."),
    (r"\.conv\.net2\.", ".conv."),
)

# Parameters without a module of their own.
TOKENS = (
    (r"\.in_proj_(weight|bias)$", r".qkv.\1"),
    (r"(^|\.)(cls_token|pos_embed|time_embed)$", r"\1embedding.\2"),
)

MODULES = ((r"^(backbone|cls_head)\.", ""),)

MMACTION2 = Dialect(
    name="mmaction2",
    pattern=either(
        rf"(?:backbone\.)?(?:\w+_path\.)?(?:{RESIDUAL})",
        rf"(?:backbone\.)?(?:{TRANSFORMER})",
        r"(?:backbone\.)?fc[67]\.(?:weight|bias)",
        r"backbone\.(?:cls_token|pos_embed|time_embed|norm\.(?:weight|bias))",
        rf"backbone\.(?:{RESNET}|{DENSENET})\.{PARAMETER}",
        rf"backbone\.(?:{SWIN})",
        rf"backbone\.(?:{POOLED})",
        r"backbone\.norm3\.(?:weight|bias)",
        HEAD,
        NECK,
    ),
    rules=(
        *INTERLACED,
        *WRAPPED,
        *torchvision_densenet.RULES,
        *torchvision_resnet.RULES,
        *TOKENS,
        *MODULES,
    ),
    head=r"(?:cls_head|neck\.aux_head)\.",
    arguments={"CSN": {"epsilon": 1e-3}, "I3D": {"temporal_strides": None}},
)
