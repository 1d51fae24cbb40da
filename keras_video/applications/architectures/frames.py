"""Detection of image networks over frames from their tensor names and shapes."""

from keras_video.applications.architectures.detected import DetectedNetwork

STEM = "conv1.conv.weight"
FRAMES = {"segments": "frames of a clip"}

# MMAction2 and TSM's repository wrap the convolutions that follow a shift.
SHIFTED = r"(?:conv1(?:\.conv)?|conv\.0)\.net\."
RESNEXT_GROUPS = 32
# Image networks that C2D uses too, and their depth.
FRAME_BY_FRAME = {"resnet50": 50, "resnet101": 101, "resnet152": 152}
MOBILE_BLOCKS = (1, 2, 3, 4, 3, 3, 1)


def tanet_network(layers):
    """TANet; the number of frames follows from the size of a layer."""
    shape, depth = layers.shape("layer1.0.tam.G.0.weight"), layers.depth()
    if not shape or depth is None:
        return None
    return DetectedNetwork("TANet", {"depth": depth, "segments": shape[1]})


def tin_network(layers):
    """TIN; the number of frames follows from the size of a layer."""
    shape, depth = layers.shape("layer1.0.conv1.interlace.offset_net.fc1.weight"), layers.depth()
    if not shape or depth is None:
        return None
    return DetectedNetwork("TIN", {"depth": depth, "segments": shape[1]})


def trn_network(layers):
    """TRN; the number of frames follows from the relations, or from the inputs of a plain one."""
    depth, hidden = layers.depth(), layers.shape("fc_cls.weight")
    relations = sorted(name for name in layers.shapes if name.startswith("consensus."))
    if not relations or depth is None or not hidden:
        return None
    arguments = {"depth": depth, "hidden_dim": hidden[0]}
    scales = {name.split(".")[2] for name in relations if "fc_fusion_scales" in name}
    if scales:
        return DetectedNetwork(
            "TRN", {**arguments, "relation": "multi_scale", "segments": len(scales) + 1}
        )
    first = next(name for name in relations if name.endswith("weight"))
    frames = layers.shape(first)[1] // hidden[0]
    return DetectedNetwork("TRN", {**arguments, "relation": "plain", "segments": frames})


def tsm_network(layers):
    """TSM, distinguished from TSN by its wrapped convolutions: the shift itself has no weights."""
    backbone = image_backbone(layers)
    if backbone is None or not layers.named(SHIFTED):
        return None
    arguments = {"backbone": backbone, "temporal_pool": layers.named(r"layer2\.net\.\d")}
    undetermined = dict(FRAMES)
    if layers.has(r"\.non_local_block\.theta"):
        undetermined["non_local"] = "how non-local blocks compare positions"
    elif layers.has(r"\.non_local_block\."):
        arguments["non_local"] = "gaussian"
    return DetectedNetwork("TSM", arguments, undetermined)


def tsn_network(layers):
    """TSN; it accepts any number of frames.

    MMAction2's C2D, a network over clips without temporal kernels, has the same tensors.
    """
    backbone = image_backbone(layers)
    if backbone is None:
        return None
    arguments = {"backbone": backbone}
    if backbone not in FRAME_BY_FRAME or not layers.named(r"(?:^|\.)conv1\.conv\.weight$"):
        return DetectedNetwork("TSN", arguments)
    undetermined = {"temporal_pool": "whether it is a C2D, which pools frames by two, or a TSN"}
    return DetectedNetwork("TSN", arguments, undetermined, choose_pooling, ("segments", "backbone"))


def choose_pooling(arguments):
    """C2D if frames are pooled, TSN otherwise."""
    arguments = dict(arguments)
    if not arguments.pop("temporal_pool", False):
        return "TSN", arguments
    depth = FRAME_BY_FRAME[arguments.pop("backbone")]
    return "C2D", {"depth": depth, "temporal_pool": True, "stem_padding": False, **arguments}


def audio_network(layers):
    """AudioResNet: a residual network over spectrograms, which have one channel."""
    depth = layers.depth()
    if layers.shape(STEM)[1:2] != (1,) or depth is None:
        return None
    return DetectedNetwork("AudioResNet", {"depth": depth, "factorized": False})


def image_backbone(layers):
    """The name of the image backbone, or `None`."""
    if layers.has(r"^features\.denseblock4\."):
        first = layers.shape("features.conv0.conv.weight")
        return "densenet161" if first[:1] == (96,) else None
    if layers.has(r"^layers\.0\.blocks\.0\.attn\.qkv\."):
        return swin_backbone(layers)
    if layers.has(r"^layer1\.0\.conv\.0\."):
        known = layers.blocks(stages=7) == MOBILE_BLOCKS
        return "mobilenet_v2" if known and layers.shape(STEM)[0] == 32 else None
    depth = layers.depth()
    if len(layers.shape(STEM)) != 4 or depth is None:
        return None
    middle = layers.shape("layer1.0.conv2.conv.weight")
    if middle[0] == middle[1]:
        return f"resnet{depth}"
    groups_of_four = middle[0] == 4 * RESNEXT_GROUPS and middle[1] == 4
    return "resnext101_32x4d" if depth == 101 and groups_of_four else None


def swin_backbone(layers):
    """The name of Swin-B over images, or `None`."""
    stem = layers.shape("patch_embed.proj.weight")
    deep = layers.has(r"^layers\.2\.blocks\.17\.") and not layers.has(r"^layers\.2\.blocks\.18\.")
    return "swin_base" if len(stem) == 4 and stem[0] == 128 and deep else None
