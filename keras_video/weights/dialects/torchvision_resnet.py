"""Image ResNets of torchvision."""

from keras_video.weights.dialects.dialect import PARAMETER, Dialect

BODY = r"(?:conv1|bn1|layer\d\.\d+\.(?:conv\d|bn\d|downsample\.[01]))"

# Convolution and norm are one module here, `conv1.conv` and `conv1.bn`.
RULES = (
    (r"(^|\.)(conv\d)\.weight$", r"\1\2.conv.weight"),
    (r"(^|\.)bn(\d)\.", r"\1conv\2.bn."),
    (r"\.downsample\.0\.", ".downsample.conv."),
    (r"\.downsample\.1\.", ".downsample.bn."),
)

TORCHVISION_RESNET = Dialect(
    name="torchvision_resnet",
    pattern=rf"(?:{BODY}|fc)\.{PARAMETER}",
    rules=RULES,
    head=r"fc\.",
)
