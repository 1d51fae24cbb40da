"""Repositories that classify sampled frames with an image network, `base_model`: TSN, TSM, TRN and
TAM."""

from keras_video.weights.dialects import torchvision_resnet
from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either
from keras_video.weights.dialects.torchvision_resnet import BODY as RESNET

HEAD = r"new_fc\.(?:weight|bias)"
RELATION = r"consensus\.(?:classifier|fc_fusion_scales\.\d+)\.\d\.(?:weight|bias)"

# Blocks per stage of a MobileNetV2, whose layers are numbered consecutively in `features`.
MOBILE_BLOCKS = (1, 2, 3, 4, 3, 3, 1)


def mobile_rules():
    """Rules for a MobileNetV2, whose convolutions, norms and ReLU6 are numbered individually."""
    rules = [
        (r"^features\.0\.0\.", "conv1.conv."),
        (r"^features\.0\.1\.", "conv1.bn."),
        (r"^features\.18\.0\.", "conv2.conv."),
        (r"^features\.18\.1\.", "conv2.bn."),
    ]
    number = 1
    for stage, count in enumerate(MOBILE_BLOCKS, 1):
        for block in range(count):
            name = f"layer{stage}.{block}.conv"
            positions = (0, 3) if number == 1 else (0, 3, 6)
            for part, position in enumerate(positions):
                rules += [
                    (rf"^features\.{number}\.conv\.{position}\.", f"{name}.{part}.conv."),
                    (rf"^features\.{number}\.conv\.{position + 1}\.", f"{name}.{part}.bn."),
                ]
            number += 1
    return tuple(rules)


def bias_into_norm(state):
    """Folds the bias of a non-local block's last convolution into the mean of the following norm.

    The norm subtracts its mean, so inference is unchanged; here the convolution has no bias.
    """
    folded = dict(state)
    for name in state:
        mean = name.replace(".nl.W.0.bias", ".nl.W.1.running_mean")
        if mean != name and mean in state:
            folded[mean] = state[mean] - folded.pop(name)
    return folded


RULES = (
    (r"^base_model\.", ""),
    (r"\.(?:net|block)(?=\.)", ""),
    (r"\.nl\.theta\.", ".non_local_block.theta.conv."),
    (r"\.nl\.(g|phi)\.0\.", r".non_local_block.\1.0.conv."),
    (r"\.nl\.W\.0\.", ".non_local_block.conv_out.conv."),
    (r"\.nl\.W\.1\.", ".non_local_block.conv_out.bn."),
    *mobile_rules(),
    *torchvision_resnet.RULES,
    (r"^new_fc\.", "fc_cls."),
)

RESNET_BODY = rf"base_model\.{RESNET}\.{PARAMETER}"
MOBILE_BODY = rf"base_model\.features\.\d+\.(?:conv\.)?\d\.{PARAMETER}"

TSN = Dialect(
    name="tsn",
    pattern=either(RESNET_BODY, MOBILE_BODY, HEAD, RELATION),
    rules=RULES,
    head=r"new_fc\.|consensus\.",
)

TSM = Dialect(
    name="tsm",
    pattern=either(
        RESNET_BODY,
        MOBILE_BODY,
        r"base_model\.layer\d\.\d+\.(?:block\.)?conv1\.net\.weight",
        rf"base_model\.layer\d\.\d+\.block\.(?:conv\d|bn\d|downsample\.[01])\.{PARAMETER}",
        rf"base_model\.layer\d\.\d+\.nl\.(?:theta|(?:g|phi)\.0|W\.[01])\.{PARAMETER}",
        r"base_model\.features\.\d+\.conv\.0\.net\.weight",
        HEAD,
    ),
    rules=RULES,
    transforms=(bias_into_norm,),
    head=r"new_fc\.",
)

TAM = Dialect(
    name="tam",
    pattern=either(
        RESNET_BODY,
        rf"base_model\.layer\d\.\d+\.net\.(?:conv\d|bn\d|downsample\.[01])\.{PARAMETER}",
        rf"base_model\.layer\d\.\d+\.tam\.[GL]\.\d\.{PARAMETER}",
        HEAD,
    ),
    rules=RULES,
    head=r"new_fc\.",
)
