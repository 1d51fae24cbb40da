"""The SlowFast repository's X3D."""

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either
from keras_video.weights.dialects.pathways import bottleneck_rules

BLOCK = r"s[2-5]\.pathway0_res\d+"

RULES = (
    (r"^s1\.pathway0_stem\.conv_xy\.", "conv1_s.conv."),
    (r"^s1\.pathway0_stem\.(conv|bn)\.", r"conv1_t.\1."),
    *((rf"^s{n}\.pathway0_res(\d+)\.", rf"layer{n - 1}.\1.") for n in range(2, 6)),
    (r"\.branch1\.", ".downsample.conv."),
    (r"\.branch1_bn\.", ".downsample.bn."),
    (r"\.branch2\.se\.fc(\d)\.", r".se_module.fc\1."),
    *bottleneck_rules(
        lambda letter: rf"\.branch2\.{letter}\.", lambda letter: rf"\.branch2\.{letter}_bn\."
    ),
    (r"^head\.conv_5\.", "conv5.conv."),
    (r"^head\.conv_5_bn\.", "conv5.bn."),
    (r"^head\.lin_5\.", "fc1."),
    (r"^head\.projection\.", "fc2."),
)

SLOWFAST_X3D = Dialect(
    name="slowfast_x3d",
    pattern=either(
        rf"s1\.pathway0_stem\.(?:conv_xy|conv|bn)\.{PARAMETER}",
        rf"{BLOCK}\.(?:branch1|branch1_bn|branch2\.[abc]|branch2\.[abc]_bn)\.{PARAMETER}",
        rf"{BLOCK}\.branch2\.se\.fc[12]\.(?:weight|bias)",
        rf"head\.(?:conv_5|conv_5_bn|lin_5|projection)\.{PARAMETER}",
    ),
    rules=RULES,
    mark=r"s1\.pathway0_stem\.conv_xy\.weight",
    head=r"head\.(?:lin_5|projection)\.",
)
