"""PyTorchVideo's X3D for mobile devices, whose modules are named `kernel`."""

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either

BLOCK = r"s[2-5]\.pathway0_res\d+"

RULES = (
    (r"^s1\.pathway0_stem_conv_xy\.kernel\.conv\.", "conv1_s.conv."),
    (r"^s1\.pathway0_stem_conv\.kernel\.", "conv1_t."),
    (r"^head\.conv_5\.kernel\.", "conv5."),
    (r"^head\.lin_5\.kernel\.(?:conv\.)?", "fc1."),
    (r"^projection\.model\.", "fc2."),
    *((rf"^s{n}\.pathway0_res(\d+)\.", rf"layer{n - 1}.\1.") for n in range(2, 6)),
    (r"\._res_proj\.kernel\.", ".downsample."),
    (r"\.layers\.se\.se\.block\.0\.", ".se_module.fc1."),
    (r"\.layers\.se\.se\.block\.2\.", ".se_module.fc2."),
    *((rf"\.layers\.conv_{n}\.kernel\.", f".conv{n + 1}.") for n in range(3)),
    # Convolution and norm have the same names as here.
)

PYTORCHVIDEO_MOBILE_X3D = Dialect(
    name="pytorchvideo_mobile_x3d",
    pattern=either(
        rf"s1\.pathway0_stem_conv(?:_xy)?\.kernel\.(?:conv|bn)\.{PARAMETER}",
        rf"{BLOCK}\.layers\.conv_[012]\.kernel\.(?:conv|bn)\.{PARAMETER}",
        rf"{BLOCK}\.layers\.se\.se\.block\.[02]\.(?:weight|bias)",
        rf"{BLOCK}\._res_proj\.kernel\.(?:conv|bn)\.{PARAMETER}",
        rf"head\.(?:conv_5|lin_5)\.kernel\.(?:(?:conv|bn)\.)?{PARAMETER}",
        r"projection\.model\.(?:weight|bias)",
    ),
    rules=RULES,
    head=r"head\.lin_5\.|projection\.",
)
