"""How names of layers become names of Keras variables.

A layer here is called what MMAction2 calls the module, dots as underscores, without `backbone.`
and `cls_head.`: `layer1.0.conv1.bn.weight` is `layer1_0_conv1_bn/gamma`. So no table lists layers.
What other projects call them is in `keras_video.weights.dialects`.
"""

import re


class WeightsError(ValueError):
    """A checkpoint and a model do not fit: lists what is missing, unexpected and mis-shaped."""


# What PyTorch calls a parameter, and the names Keras layers have for it.
PARAMETERS = {
    "weight": ("kernel", "gamma"),
    "bias": ("bias", "beta"),
    "running_mean": ("moving_mean",),
    "running_var": ("moving_variance",),
}

# Counters of training steps, and what follows from the size of windows (timm's Swin).
NOT_LOADED = re.compile(r"(num_batches_tracked|relative_position_index|attn_mask)$")


def variable_keys(name):
    """The Keras variables, as `layer/variable`, that a name of a layer's parameter can mean.

    One name gives a few candidates since PyTorch calls the scale of a norm `weight` as well.
    """
    module, _, parameter = name.rpartition(".")
    layer = module.replace(".", "_")
    return tuple(f"{layer}/{leaf}" for leaf in PARAMETERS.get(parameter, (parameter,)))
