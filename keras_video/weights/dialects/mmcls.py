"""MMClassification's image classifiers, from which MMAction2's recognizers are initialized."""

from keras_video.weights.dialects.dialect import Dialect, either
from keras_video.weights.dialects.mmaction2 import MMACTION2, RESIDUAL
from keras_video.weights.dialects.torchvision_resnet import BODY as RESNET

MMCLS = Dialect(
    name="mmcls",
    pattern=either(
        rf"backbone\.(?:{RESIDUAL})",
        rf"backbone\.{RESNET}\.\w+",
        r"head\.(?:layers\.)?fc\.(?:weight|bias)",
    ),
    rules=MMACTION2.rules,
    head=r"head\.",
)
