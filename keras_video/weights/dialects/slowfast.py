"""The SlowFast repository's residual networks: SlowFast, SlowOnly, C2D, I3D with and without
non-local blocks."""

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either, renamed
from keras_video.weights.dialects.pathways import bottleneck_rules, swap_halves, width_of

BLOCK = r"s[2-5]\.pathway[01]_res\d+"
CLASSIFIER = "head.projection."

# Its non-local blocks pool before the projections, scale by the square root of the width, and end
# in a convolution with a bias.
NON_LOCAL = {
    "mode": "embedded_gaussian",
    "use_scale": True,
    "pool_first": True,
    "output_bias": True,
}


def name_pathways(state):
    """Distinguishes the pathway of a single-pathway network from the slow one of two.

    Here the layers of a single-pathway network have no prefix.
    """
    if any(".pathway1_" in name for name in state):
        return state
    return renamed(state, lambda name: name.replace(".pathway0_", ".pathway_"))


def fast_before_slow(state):
    """Swaps the classifier's columns, see `swap_halves`."""
    if not any(".pathway1_" in name for name in state):
        return state
    width = width_of(state, r"s5\.pathway0_res\d+\.branch2\.c\.weight")
    return swap_halves(state, f"{CLASSIFIER}weight", width) if width else state


RULES = (
    (r"^s1_fuse\.conv_f2s\.", "slow_path.conv1_lateral.conv."),
    (r"^s1_fuse\.bn\.", "slow_path.conv1_lateral.bn."),
    *(
        rule
        for n in range(2, 5)
        for rule in (
            (rf"^s{n}_fuse\.conv_f2s\.", f"slow_path.layer{n - 1}_lateral.conv."),
            (rf"^s{n}_fuse\.bn\.", f"slow_path.layer{n - 1}_lateral.bn."),
        )
    ),
    (r"^(s\d)\.pathway0_", r"slow_path.\1.pathway_"),
    (r"^(s\d)\.pathway1_", r"fast_path.\1.pathway_"),
    (r"(^|\.)s1\.pathway_stem\.", r"\1conv1."),
    *((rf"(^|\.)s{n}\.pathway_res(\d+)\.", rf"\1layer{n - 1}.\2.") for n in range(2, 6)),
    *(
        (rf"(^|\.)s{n}\.pathway_nonlocal(\d+)\.", rf"\1layer{n - 1}.\2.non_local_block.")
        for n in range(2, 6)
    ),
    (r"\.non_local_block\.conv_(theta|phi|g)\.", r".non_local_block.\1.conv."),
    (r"\.non_local_block\.conv_out\.", ".non_local_block.conv_out.conv."),
    (r"\.non_local_block\.bn\.", ".non_local_block.conv_out.bn."),
    (r"\.branch1\.", ".downsample.conv."),
    (r"\.branch1_bn\.", ".downsample.bn."),
    *bottleneck_rules(
        lambda letter: rf"\.branch2\.{letter}\.", lambda letter: rf"\.branch2\.{letter}_bn\."
    ),
    (r"^head\.projection\.", "fc_cls."),
)

SLOWFAST = Dialect(
    name="slowfast",
    pattern=either(
        rf"s1\.pathway[01]_stem\.(?:conv|bn)\.{PARAMETER}",
        rf"{BLOCK}\.(?:branch1|branch1_bn|branch2\.[abc]|branch2\.[abc]_bn)\.{PARAMETER}",
        rf"s[1-4]_fuse\.(?:conv_f2s|bn)\.{PARAMETER}",
        rf"s[2-5]\.pathway0_nonlocal\d+\.(?:conv_(?:theta|phi|g|out)|bn)\.{PARAMETER}",
        r"head\.projection\.(?:weight|bias)",
    ),
    rules=RULES,
    transforms=(fast_before_slow, name_pathways),
    head=r"head\.",
    arguments={
        "I3D": {"temporal_strides": (1, 1), "non_local": NON_LOCAL},
        "SlowOnly": {"first_pool": True},
    },
)
