"""Detection of 3-D convolutional networks from their tensor names and shapes."""

from math import ceil

from keras_video.applications import i3d, slowfast, slowonly, video_resnet, x3d
from keras_video.applications.architectures.detected import DetectedNetwork, repeated
from keras_video.layers.squeeze_excite import rounded_width

STEM = "conv1.conv.weight"
NON_LOCAL = r"\.non_local_block\."
MODES = "non-local blocks compare positions as 'embedded_gaussian' or 'dot_product'"


def slowfast_network(layers):
    """SlowFast; the weights do not determine the frame rates of its pathways."""
    if "slow_path.conv1.conv.weight" not in layers or layers.has(r"^audio_path\."):
        return None
    depths = [layers.depth(f"{path}_path.") for path in ("slow", "fast")]
    if None in depths:
        return None
    arguments = {
        "slow_depth": depths[0],
        "fast_depth": depths[1],
        "beta_inv": slowfast.WIDTH // layers.shape("fast_path.conv1.conv.weight")[0],
        "fusion_kernel": layers.shape("slow_path.conv1_lateral.conv.weight")[2],
        "lateral_norm": "slow_path.conv1_lateral.bn.weight" in layers,
    }
    defaults = {"slow": slowfast.SLOW_KERNELS, "fast": slowfast.FAST_KERNELS}
    for path, usual in defaults.items():
        kernels = tuple(
            sizes[0] if len({*sizes}) == 1 else sizes
            for sizes in layers.temporal_kernels(f"{path}_path.")
        )
        if kernels != usual:
            arguments[f"{path}_kernels"] = kernels
    undetermined = {
        "tau": "frame stride of the slow pathway",
        "alpha": "frames of the fast pathway per frame of the slow one",
    }
    return DetectedNetwork("SlowFast", arguments, undetermined)


def i3d_network(layers):
    """I3D, identified by its 5x7x7 stem."""
    stem, depth = layers.shape(STEM), layers.depth()
    if stem[2:] != (5, 7, 7) or depth is None or layers.has(r"^neck\."):
        return None
    kernels = layers.temporal_kernels()
    usual = expected_kernels(layers, i3d.TEMPORAL_KERNELS)
    heavy = expected_kernels(layers, ((3,),) * 4)
    if kernels not in (usual, heavy):
        return None
    arguments = {"depth": depth, "heavy": kernels == heavy}
    undetermined = {"temporal_strides": "temporal strides of the stem and of the first pooling"}
    determine_non_local(layers, arguments, undetermined)
    return DetectedNetwork("I3D", arguments, undetermined)


def slowonly_network(layers):
    """SlowOnly: a 1x7x7 stem, and temporal kernels of size 3 in the last two stages."""
    stem, depth = layers.shape(STEM), layers.depth()
    if stem[2:] != (1, 7, 7) or depth is None or layers.has(r"^neck\."):
        return None
    if layers.temporal_kernels() != expected_kernels(layers, slowonly.TEMPORAL_KERNELS):
        return None
    arguments = {"depth": depth}
    undetermined = {"first_pool": "whether the stem ends with a pooling"}
    determine_non_local(layers, arguments, undetermined)
    return DetectedNetwork("SlowOnly", arguments, undetermined)


def tpn_network(layers):
    """TPN on SlowOnly or TSM."""
    if not layers.has(r"^neck\.") or layers.depth() != 50:
        return None
    clips = len(layers.shape(STEM)) == 5
    arguments = {
        "backbone": "slowonly_r50" if clips else "tsm_r50",
        "auxiliary": layers.has(r"^neck\.aux_head\."),
    }
    undetermined = {} if clips else {"segments": "frames of a clip"}
    return DetectedNetwork("TPN", arguments, undetermined)


def csn_network(layers):
    """CSN: the middle convolution of a block has parts, the last of them depthwise."""
    stem, depth = layers.shape(STEM), layers.depth()
    if stem[2:] != (3, 7, 7) or depth is None or not layers.has(r"\.conv2\.0\.conv\.weight$"):
        return None
    mode = "ip" if layers.has(r"\.conv2\.1\.conv\.weight$") else "ir"
    undetermined = {"epsilon": "epsilon of the batch norms"}
    return DetectedNetwork("CSN", {"depth": depth, "mode": mode}, undetermined)


def r2plus1d_network(layers):
    """R(2+1)D: all convolutions are factorized, or the middle ones of bottlenecks."""
    depth = layers.depth()
    factorized = ("conv1.conv.conv_s.weight", "layer1.0.conv2.conv.conv_t.weight")
    if depth is None or not any(name in layers for name in factorized):
        return None
    return DetectedNetwork("R2Plus1D", {"depth": depth})


def video_resnet_network(layers):
    """VideoResNet: basic blocks of 3-D convolutions, whose shortcuts are not factorized.

    In the networks trained on IG-65M, each convolution has a separate middle width, and epsilon
    differs from torchvision's.
    """
    depth = layers.depth()
    if depth not in video_resnet.DEPTHS or len(layers.shape("layer2.0.downsample.conv.weight")) < 5:
        return None
    arguments = {"kind": "r3d", "depth": depth}
    first, second = (layers.shape(f"layer2.0.conv{n}.conv.conv_s.weight") for n in (1, 2))
    if second:
        shared = first[0] == second[0]
        middle_width = "block" if shared else "convolution"
        epsilon = 1e-5 if shared else 1e-3
        arguments |= {"kind": "r2plus1d", "middle_width": middle_width, "epsilon": epsilon}
    elif layers.shape("layer2.0.conv1.conv.weight")[2] == 1:
        arguments["kind"] = "mc3"
    return DetectedNetwork("VideoResNet", arguments)


def s3d_network(layers):
    """S3D: Inception modules with a factorized convolution in two of their branches."""
    return DetectedNetwork("S3D", {}) if "features.5.branch1.1.1.conv.weight" in layers else None


def c2d_network(layers):
    """C2D over clips: no convolution spans more than one frame.

    PyTorchVideo counts the temporal pooling as a block, which makes the last stage block 5.
    As an image network over frames, C2D has the tensor names of TSN.
    """
    stem, depth = layers.shape(STEM), layers.depth()
    if stem[2:] != (1, 7, 7) or depth is None or layers.has(r"^neck\.|non_local_block"):
        return None
    if layers.temporal_kernels() != expected_kernels(layers, ((1,),) * 4):
        return None
    arguments, undetermined = {"depth": depth}, {}
    if layers.named(r"(?:^|\.)blocks\.\d\.res_blocks\."):
        arguments["temporal_pool"] = layers.named(r"(?:^|\.)blocks\.5\.res_blocks\.")
    else:
        undetermined["temporal_pool"] = "whether frames are pooled after the first stage"
    return DetectedNetwork("C2D", arguments, undetermined)


def x3d_network(layers):
    """X3D; its expansion factors follow from widths and numbers of blocks."""
    stem, inner = layers.shape("conv1_s.conv.weight"), layers.shape("layer1.0.conv1.conv.weight")
    if not stem or not inner:
        return None
    counts = layers.blocks()
    factors = (tenth / 10 for tenth in range(1, 201))
    fitting = [d for d in factors if tuple(ceil(n * d) for n in x3d.BLOCKS) == counts]
    if not fitting:
        return None
    width, gate = stem[0], layers.shape("layer1.0.se_module.fc1.weight")
    arguments = {
        "gamma_w": width / x3d.WIDTH,
        "gamma_b": inner[0] / width,
        "gamma_d": 2.2 if 2.2 in fitting else 5.0 if 5.0 in fitting else fitting[-1],
    }
    if not gate or gate[0] != rounded_width(inner[0] / 16):
        return DetectedNetwork(
            "X3D", arguments, {"se_ratio": "relative width of squeeze and excitation"}
        )
    return DetectedNetwork("X3D", arguments)


def c3d_network(layers):
    """C3D, whose convolutions are named with letters."""
    if "conv1a.conv.weight" not in layers or "fc6.weight" not in layers:
        return None
    return DetectedNetwork("C3D", {"feature_dim": layers.shape("fc6.weight")[0]})


def expected_kernels(layers, patterns):
    """Temporal kernel sizes per block, from patterns repeated over the blocks of each stage."""
    return tuple(
        repeated(sizes, count) for sizes, count in zip(patterns, layers.blocks(), strict=True)
    )


def determine_non_local(layers, arguments, undetermined):
    """Adds the kind of the non-local blocks, if there are any."""
    if not layers.has(NON_LOCAL):
        arguments["non_local"] = None
    elif layers.has(NON_LOCAL + "theta"):
        undetermined["non_local"] = MODES
    else:
        arguments["non_local"] = "gaussian"
