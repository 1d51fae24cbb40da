"""Maps checkpoint names to names of Keras variables.

Layers have the names of MMAction2's modules, with underscores instead of dots and without
`backbone.` and `cls_head.`: `layer1.0.conv1.bn.weight` is `layer1_0_conv1_bn/gamma`. So no table of
layers is needed. The names of other projects are in `keras_video.weights.dialects`.
"""

import re


class WeightsError(ValueError):
    """A checkpoint does not match a model; lists missing, unexpected and mis-shaped tensors."""


# PyTorch's parameter names, and the corresponding names in Keras layers.
PARAMETERS = {
    "weight": ("kernel", "gamma"),
    "bias": ("bias", "beta"),
    "running_mean": ("moving_mean",),
    "running_var": ("moving_variance",),
}

# Step counters, and buffers that are derived from the window size (timm's Swin).
NOT_LOADED = re.compile(r"(num_batches_tracked|relative_position_index|attn_mask)$")


def variable_keys(name):
    """The Keras variables, as `layer/variable`, that a parameter name can refer to.

    There may be several candidates, since PyTorch also calls the scale of a norm `weight`.
    """
    module, _, parameter = name.rpartition(".")
    layer = module.replace(".", "_")
    return tuple(f"{layer}/{leaf}" for leaf in PARAMETERS.get(parameter, (parameter,)))
