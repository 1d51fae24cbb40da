"""torchvision's VideoResNet, and the IG-65M networks converted to it."""

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either, renamed


def mark_factorized(state):
    """Distinguishes the layers of a factorized stem from those of a plain one.

    torchvision numbers the modules: in both, 1 is a norm; the convolutions are 0 and 3, or 0.
    """
    if not any(name.startswith("stem.3.") for name in state):
        return state
    return renamed(state, lambda name: name.replace("stem.", "factorized_stem.", 1))


RULES = (
    (r"^stem\.0\.", "conv1.conv."),
    (r"^stem\.1\.", "conv1.bn."),
    (r"^factorized_stem\.0\.", "conv1.conv.conv_s."),
    (r"^factorized_stem\.1\.", "conv1.conv.bn_s."),
    (r"^factorized_stem\.3\.", "conv1.conv.conv_t."),
    (r"^factorized_stem\.4\.", "conv1.bn."),
    (r"\.conv(\d)\.0\.0\.", r".conv\1.conv.conv_s."),
    (r"\.conv(\d)\.0\.1\.", r".conv\1.conv.bn_s."),
    (r"\.conv(\d)\.0\.3\.", r".conv\1.conv.conv_t."),
    (r"\.(conv\d|downsample)\.0\.", r".\1.conv."),
    (r"\.(conv\d|downsample)\.1\.", r".\1.bn."),
    (r"^fc\.", "fc_cls."),
)

TORCHVISION_VIDEO_RESNET = Dialect(
    name="torchvision_video_resnet",
    pattern=either(
        rf"stem\.[0134]\.{PARAMETER}",
        rf"layer[1-4]\.\d+\.conv[12]\.(?:[01]|0\.[013])\.{PARAMETER}",
        rf"layer[1-4]\.\d+\.downsample\.[01]\.{PARAMETER}",
        r"fc\.(?:weight|bias)",
    ),
    rules=RULES,
    transforms=(mark_factorized,),
    head=r"fc\.",
)
