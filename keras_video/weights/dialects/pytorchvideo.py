"""PyTorchVideo's residual networks: SlowOnly, I3D, C2D, CSN, R(2+1)D and SlowFast."""

import re

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either, renamed
from keras_video.weights.dialects.pathways import STAGES, bottleneck_rules, swap_halves, width_of

FACTORIZED = r"branch2\.conv_b\.(?:conv_t|norm|conv_xy)"
BLOCK = rf"(?:branch1_(?:conv|norm)|branch2\.(?:conv|norm)_[abc]|{FACTORIZED})"
PATHWAY = r"(?:multipathway_blocks\.[01]\.)?"
CLASSIFIER = r"blocks\.\d\.proj\."


def close_gap_of_pool(state):
    """Renumbers the stages without the pool between the first two.

    A pool has no weights but is numbered as a block: I3D's and C2D's stages are blocks 1, 3, 4
    and 5.
    """
    numbers = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    if "2" in numbers or not {"1", "3", "4", "5"} <= numbers:
        return state

    def renumber(name):
        return re.sub(r"^blocks\.([3-9])\.", lambda match: f"blocks.{int(match[1]) - 1}.", name)

    return renamed(state, renumber)


def mark_depthwise(state):
    """Marks the depthwise convolutions of channel-separated networks, and their norms.

    Here they are `conv2.0`, since the interaction-preserved variant has another convolution before
    them; in PyTorchVideo they have the names of ordinary ones.
    """
    depthwise = {
        name.removesuffix("conv_b.weight")
        for name, array in state.items()
        if name.endswith(".branch2.conv_b.weight") and array.ndim == 5 and array.shape[1] == 1
    }

    def mark(name):
        prefix, middle, rest = name.partition("branch2.")
        if prefix + middle in depthwise:
            rest = re.sub(r"^(conv|norm)_b\.", r"depthwise_\1.", rest)
        return prefix + middle + rest

    return renamed(state, mark)


def fast_before_slow(state):
    """Swaps the classifier's columns, see `swap_halves`."""
    slow = r"blocks\.4\.multipathway_blocks\.0\.res_blocks\.\d+\.branch2\.conv_c\.weight"
    width = width_of(state, slow)
    classifiers = [name for name in state if re.fullmatch(CLASSIFIER + "weight", name)]
    return swap_halves(state, classifiers[0], width) if width and classifiers else state


RULES = (
    (r"\.multipathway_fusion\.conv_fast_to_slow\.", ".lateral.conv."),
    (r"\.multipathway_fusion\.norm\.", ".lateral.bn."),
    (r"^(blocks\.\d)\.lateral\.", r"slow_path.\1.lateral."),
    (r"^(blocks\.\d)\.multipathway_blocks\.0\.", r"slow_path.\1."),
    (r"^(blocks\.\d)\.multipathway_blocks\.1\.", r"fast_path.\1."),
    (r"(^|\.)blocks\.0\.lateral\.", r"\1conv1_lateral."),
    *((rf"(^|\.)blocks\.{n}\.lateral\.", rf"\1layer{n}_lateral.") for n in STAGES),
    (r"(^|\.)blocks\.0\.conv\.", r"\1conv1.conv."),
    (r"(^|\.)blocks\.0\.norm\.", r"\1conv1.bn."),
    (r"(^|\.)blocks\.(\d)\.res_blocks\.", r"\1layer\2."),
    (r"\.branch1_conv\.", ".downsample.conv."),
    (r"\.branch1_norm\.", ".downsample.bn."),
    (r"\.branch2\.conv_b\.conv_t\.", ".conv2.conv.conv_t."),
    (r"\.branch2\.conv_b\.norm\.", ".conv2.conv.bn_t."),
    (r"\.branch2\.conv_b\.conv_xy\.", ".conv2.conv.conv_s."),
    (r"\.branch2\.depthwise_conv\.", ".conv2.0.conv."),
    (r"\.branch2\.depthwise_norm\.", ".conv2.0.bn."),
    *bottleneck_rules(
        lambda letter: rf"\.branch2\.conv_{letter}\.", lambda letter: rf"\.branch2\.norm_{letter}\."
    ),
    (rf"^{CLASSIFIER}", "fc_cls."),
)

PYTORCHVIDEO = Dialect(
    name="pytorchvideo",
    pattern=either(
        rf"blocks\.0\.{PATHWAY}(?:conv|norm)\.{PARAMETER}",
        rf"blocks\.\d\.{PATHWAY}res_blocks\.\d+\.{BLOCK}\.{PARAMETER}",
        rf"blocks\.\d\.multipathway_fusion\.(?:conv_fast_to_slow|norm)\.{PARAMETER}",
        rf"{CLASSIFIER}(?:weight|bias)",
    ),
    rules=RULES,
    transforms=(close_gap_of_pool, mark_depthwise, fast_before_slow),
    head=CLASSIFIER,
    arguments={
        "CSN": {"epsilon": 1e-5},
        "I3D": {"temporal_strides": (1, 1)},
        "SlowOnly": {"first_pool": True},
    },
)
