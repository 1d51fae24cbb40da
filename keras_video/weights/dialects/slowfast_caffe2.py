"""Caffe2 blobs, as the SlowFast repository publishes and reads them."""

from keras_video.weights.dialects import slowfast
from keras_video.weights.dialects.dialect import Dialect, either, renamed

# The PyTorch names of the blobs' suffixes.
LEAVES = (
    (r"_bn_s$", "_bn.weight"),
    (r"_bn_b$", "_bn.bias"),
    (r"_bn_rm$", "_bn.running_mean"),
    (r"_bn_riv$", "_bn.running_var"),
    (r"_w$", ".weight"),
    (r"_b$", ".bias"),
)
MODULES = (
    (r"^(t_)?res_conv1_bn\.", r"\1conv1_bn."),
    (r"^conv1_bn\.", "s1.pathway0_stem.bn."),
    (r"^conv1\.", "s1.pathway0_stem.conv."),
    (r"^t_conv1_bn\.", "s1.pathway1_stem.bn."),
    (r"^t_conv1\.", "s1.pathway1_stem.conv."),
    (r"^t_pool1_subsample_bn\.", "s1_fuse.bn."),
    (r"^t_pool1_subsample\.", "s1_fuse.conv_f2s."),
    (r"^t_res(\d)_\d+_branch2c_bn_subsample_bn\.", r"s\1_fuse.bn."),
    (r"^t_res(\d)_\d+_branch2c_bn_subsample\.", r"s\1_fuse.conv_f2s."),
    (r"^res(\d)_(\d+)_", r"s\1.pathway0_res\2."),
    (r"^t_res(\d)_(\d+)_", r"s\1.pathway1_res\2."),
    (r"\.branch2([abc])(_bn)?\.", r".branch2.\1\2."),
    (r"^nonlocal_conv(\d)_(\d+)_(theta|phi|g|out)\.", r"s\1.pathway0_nonlocal\2.conv_\3."),
    (r"^nonlocal_conv(\d)_(\d+)_bn\.", r"s\1.pathway0_nonlocal\2.bn."),
    (r"^pred\.", "head.projection."),
)
TO_SLOWFAST = Dialect(name="blobs", pattern=r".*", rules=(*LEAVES, *MODULES))


def as_slowfast_names(state):
    """Renames the blobs to the SlowFast repository's names, whose transforms then apply."""
    return renamed(state, TO_SLOWFAST.rename)


CONVOLUTION = r"(?:w|b|bn_(?:s|b|rm|riv))"

SLOWFAST_CAFFE2 = Dialect(
    name="slowfast_caffe2",
    pattern=either(
        rf"(?:t_)?conv1_{CONVOLUTION}",
        rf"(?:t_)?res_conv1_{CONVOLUTION}",
        rf"t_pool1_subsample_{CONVOLUTION}",
        rf"(?:t_)?res\d_\d+_branch(?:1|2[abc])_{CONVOLUTION}",
        rf"t_res\d_\d+_branch2c_bn_subsample_{CONVOLUTION}",
        r"nonlocal_conv\d_\d+_(?:(?:theta|phi|g|out)_[wb]|bn_(?:s|b|rm|riv))",
        r"pred_[wb]",
    ),
    rules=slowfast.RULES,
    transforms=(as_slowfast_names, *slowfast.SLOWFAST.transforms),
    head=slowfast.SLOWFAST.head,
    # Training state.
    ignored=r"lr|model_iter|.*_momentum",
    arguments=slowfast.SLOWFAST.arguments,
)
