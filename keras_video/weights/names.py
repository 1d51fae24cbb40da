"""How names in published checkpoints become names of Keras variables.

A layer here is called what the checkpoint calls the module, dots as underscores, without
`backbone.` and `cls_head.`: `backbone.layer1.0.conv1.bn.weight` is `layer1_0_conv1_bn/gamma`.
So no table lists layers; the rules below only undo what a dialect adds or names otherwise.
They are applied in order, each to the result of the one before.
"""

import re

DATA_PARALLEL = ((r"^module\.", ""),)

# Shifted, pooled and non-local modules are wrapped, the wrapped module becomes `net` or `block`.
TSM = ((r"\.(net|block)(?=\.)", ""),)

TIN = (
    (r"\.conv\.net1\.", ".interlace."),
    (r"\.conv\.net2\.", ".conv."),
)

TORCHVISION_RESNET = (
    (r"(^|\.)(conv\d)\.weight$", r"\1\2.conv.weight"),
    (r"(^|\.)bn(\d)\.", r"\1conv\2.bn."),
    (r"\.downsample\.0\.", ".downsample.conv."),
    (r"\.downsample\.1\.", ".downsample.bn."),
)

# Files of torchvision from before its modules could not have dots in their names.
TORCHVISION_DENSENET = ((r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),)

# Parameters without a module of their own.
TOKENS = (
    (r"\.in_proj_(weight|bias)$", r".qkv.\1"),
    (r"(^|\.)(cls_token|pos_embed|time_embed)$", r"\1embedding.\2"),
)

MODULES = ((r"^(backbone|cls_head)\.", ""),)

RULES = (*DATA_PARALLEL, *TIN, *TSM, *TORCHVISION_DENSENET, *TORCHVISION_RESNET, *TOKENS, *MODULES)

# What PyTorch calls a parameter, and the names Keras layers have for it.
PARAMETERS = {
    "weight": ("kernel", "gamma"),
    "bias": ("bias", "beta"),
    "running_mean": ("moving_mean",),
    "running_var": ("moving_variance",),
}

# Counters of training steps, and what follows from the size of windows (timm's Swin).
NOT_LOADED = re.compile(r"(num_batches_tracked|relative_position_index|attn_mask)$")

# The classifier, by the names of MMAction2, torchvision and mmcls.
HEAD = re.compile(r"^(module\.)?(cls_head|neck\.aux_head|fc|head|classifier)\.")


def variable_keys(name):
    """The Keras variables, as `layer/variable`, that a checkpoint name can mean.

    One name gives a few candidates since PyTorch calls the scale of a norm `weight` as well.
    """
    for pattern, replacement in RULES:
        name = re.sub(pattern, replacement, name)
    module, _, parameter = name.rpartition(".")
    layer = module.replace(".", "_")
    return tuple(f"{layer}/{leaf}" for leaf in PARAMETERS.get(parameter, (parameter,)))
