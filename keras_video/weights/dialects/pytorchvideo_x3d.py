"""PyTorchVideo's X3D."""

import numpy as np

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either
from keras_video.weights.dialects.pathways import bottleneck_rules

EPSILON = 1e-5
FIRST_SHORTCUT = "blocks.1.res_blocks.0.branch1_conv.weight"
FIRST_NORM = "blocks.1.res_blocks.0.branch1_norm"
HEAD = r"blocks\.5\.(?:proj|pool\.post_conv)\."


def first_shortcut_with_norm(state):
    """Adds an identity norm to the first shortcut, which has a norm here.

    PyTorchVideo omits it if the number of channels is unchanged; SlowFast's repository and
    MMAction2 do not.
    """
    if FIRST_SHORTCUT not in state or f"{FIRST_NORM}.weight" in state:
        return state
    width = state[FIRST_SHORTCUT].shape[0]
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    return {
        **state,
        f"{FIRST_NORM}.weight": ones,
        f"{FIRST_NORM}.bias": zeros,
        f"{FIRST_NORM}.running_mean": zeros,
        f"{FIRST_NORM}.running_var": ones - np.float32(EPSILON),
    }


RULES = (
    # The names are swapped: `conv_t` is the spatial convolution, `conv_xy` the temporal one.
    (r"^blocks\.0\.conv\.conv_t\.", "conv1_s.conv."),
    (r"^blocks\.0\.conv\.conv_xy\.", "conv1_t.conv."),
    (r"^blocks\.0\.norm\.", "conv1_t.bn."),
    (r"^blocks\.5\.pool\.pre_conv\.", "conv5.conv."),
    (r"^blocks\.5\.pool\.pre_norm\.", "conv5.bn."),
    (r"^blocks\.5\.pool\.post_conv\.", "fc1."),
    (r"^blocks\.5\.proj\.", "fc2."),
    (r"^blocks\.(\d)\.res_blocks\.", r"layer\1."),
    (r"\.branch1_conv\.", ".downsample.conv."),
    (r"\.branch1_norm\.", ".downsample.bn."),
    (r"\.branch2\.norm_b\.1\.block\.0\.", ".se_module.fc1."),
    (r"\.branch2\.norm_b\.1\.block\.2\.", ".se_module.fc2."),
    (r"\.branch2\.norm_b\.0\.", ".branch2.norm_b."),
    *bottleneck_rules(
        lambda letter: rf"\.branch2\.conv_{letter}\.", lambda letter: rf"\.branch2\.norm_{letter}\."
    ),
)

PYTORCHVIDEO_X3D = Dialect(
    name="pytorchvideo_x3d",
    pattern=either(
        rf"blocks\.0\.(?:conv\.conv_(?:t|xy)|norm)\.{PARAMETER}",
        rf"blocks\.[1-4]\.res_blocks\.\d+\.branch1_(?:conv|norm)\.{PARAMETER}",
        rf"blocks\.[1-4]\.res_blocks\.\d+\.branch2\.(?:conv_[abc]|norm_[ac])\.{PARAMETER}",
        rf"blocks\.[1-4]\.res_blocks\.\d+\.branch2\.norm_b\.(?:0|1\.block\.[02])\.{PARAMETER}",
        rf"blocks\.5\.(?:pool\.(?:pre_conv|pre_norm|post_conv)|proj)\.{PARAMETER}",
    ),
    rules=RULES,
    transforms=(first_shortcut_with_norm,),
    head=HEAD,
)
