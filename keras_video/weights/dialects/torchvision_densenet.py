"""Image DenseNets of torchvision."""

from keras_video.weights.dialects import torchvision_resnet
from keras_video.weights.dialects.dialect import PARAMETER, Dialect

BODY = (
    r"features\.(?:conv0|norm[05]|transition\d\.(?:conv|norm)"
    r"|denseblock\d\.denselayer\d+\.(?:conv|norm)\.?[12])"
)

# Old torchvision files, from before module names with dots were disallowed.
RULES = ((r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),)

TORCHVISION_DENSENET = Dialect(
    name="torchvision_densenet",
    pattern=rf"(?:{BODY}|classifier)\.{PARAMETER}",
    rules=(*RULES, *torchvision_resnet.RULES),
    head=r"classifier\.",
)
