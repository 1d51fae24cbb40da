"""The cases of gpu.py: networks, the shapes of their clips, batch sizes, and the order of cases."""

import dataclasses
import itertools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGITS = Path(__file__).with_name("gpu_logits.json")

# Peak dense bf16 FLOP/s of GPUs (a multiply-add counts as two), from NVIDIA's data sheets.
PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12,
         "L4": 121e12, "V100": 125e12}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Network:
    """A network and the sizes at which it is measured.

    Attributes:
        constructor: its name in `keras_video.applications`.
        arguments: arguments of the constructor.
        shape: shape of a clip, `(frames, height, width, channels)`.
        batch: clips per step.
        small: name of the small setting in `tests/applications/families.py`, for `--smoke`.
        peer: `("mmaction2", config)`, `("transformers", model type)` or `None`.
    """

    constructor: str
    arguments: dict
    shape: tuple[int, ...]
    batch: int
    small: str
    peer: tuple[str, str] | None = None


NETWORKS = {
    "slowfast_r50_4x16": Network(
        "SlowFast", {}, (32, 224, 224, 3), 16, "slowfast",
        ("mmaction2", "slowfast_r50_4x16x1_256e_kinetics400_rgb"),
    ),
    "videomae_b": Network(
        "VideoMAE", {}, (16, 224, 224, 3), 8, "videomae", ("transformers", "videomae")
    ),
    "x3d_m": Network(
        "X3D", {}, (16, 224, 224, 3), 16, "x3d",
        ("mmaction2", "x3d_m_16x5x1_facebook_kinetics400_rgb"),
    ),
    "slowonly_r50_4x16": Network(
        "SlowOnly", {}, (4, 224, 224, 3), 32, "slowonly",
        ("mmaction2", "slowonly_r50_4x16x1_256e_kinetics400_rgb"),
    ),
    "timesformer": Network(
        "TimeSformer", {}, (8, 224, 224, 3), 8, "timesformer", ("transformers", "timesformer")
    ),
    "tsm_r50": Network(
        "TSM", {}, (8, 224, 224, 3), 32, "tsm", ("mmaction2", "tsm_r50_1x1x8_50e_kinetics400_rgb")
    ),
    "movinet_a2": Network("MoViNet", {"variant": "a2"}, (50, 224, 224, 3), 4, "movinet"),
}  # fmt: skip
MODES = ("train", "inference")
DTYPES = ("bfloat16", "float32")
# Small networks whose logits are compared with stored ones.
CHECKED = ("slowfast", "slowonly", "x3d", "tsm", "timesformer", "videomae", "movinet", "csn",
           "swin3d", "uniformer")  # fmt: skip
# Depthwise convolutions of X3D-M and MoViNet-A2: clip, kernel, strides.
DEPTHWISE = {
    "x3d_m, first stage": ((8, 16, 112, 112, 54), (3, 3, 3), (1, 2, 2)),
    "x3d_m, third stage": ((8, 16, 28, 28, 216), (3, 3, 3), (1, 1, 1)),
    "x3d_m, fourth stage": ((8, 16, 14, 14, 432), (3, 3, 3), (1, 1, 1)),
    "movinet_a2, 5x3x3": ((2, 50, 28, 28, 240), (5, 3, 3), (1, 1, 1)),
    "movinet_a2, 1x5x5": ((2, 50, 56, 56, 96), (1, 5, 5), (1, 1, 1)),
}
SMALL_DEPTHWISE = {"small": ((2, 4, 8, 8, 8), (3, 3, 3), (1, 1, 1))}


def plan(side, networks, modes, dtypes, extras=(), usual=False):
    """The cases of a side's process, in order, as `(kind, network, mode, dtype, compiled)`.

    The most informative cases come first, so that an interrupted run has them: all networks in
    bfloat16, then the forms of depthwise convolution, then float32, and rarely used forms last.

    Args:
        extras: which of "logits", "peak" and "depthwise" this process runs.
        usual: leave out cases that use `torch.compile`.
    """
    known = [name for name in networks if side != "peer" or NETWORKS[name].peer]
    first, *others = [
        [("model", name, mode, dtype, compiled) for mode, name in itertools.product(modes, known)
         for compiled in forms(side)]
        for dtype in dtypes
    ]  # fmt: skip
    rest = [case for cases in others for case in cases]
    late = [case for case in (*first, *rest) if side == "torch" and case[-1]]
    checks = [(kind, None, None, None, None) for kind in ("peak", "logits") if kind in extras]
    depthwise = [("depthwise", None, None, dtypes[0], None)] if "depthwise" in extras else []
    early, middle = ([case for case in cases if case not in late] for cases in (first, rest))
    cases = [*checks, *early, *depthwise, *middle, *late]
    return [case for case in cases if not (usual and side != "jax" and case[-1])]


def forms(side):
    """Whether to compile: JAX always does; Keras on torch and PyTorch are measured both ways."""
    return (True,) if side == "jax" else (False, True)


def key(case):
    """The name of a case, in one line."""
    kind, network, mode, dtype, compiled = case
    if kind != "model":
        return kind
    return f"{network}, {mode}, {dtype}{', compiled' if compiled else ''}"


def build(name, dtype, smoke):
    """The Keras model of a network, which outputs logits, and the shape of a batch."""
    import keras

    from keras_video import applications

    network = NETWORKS[name]
    keras.utils.set_random_seed(0)
    policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype
    keras.config.set_dtype_policy(policy)
    try:
        if smoke:
            model = small_families().build(network.small)
            return model, (2, *model.input_shape[1:])
        constructor = getattr(applications, network.constructor)
        model = constructor(
            input_shape=network.shape, classifier_activation=None, **network.arguments
        )
        return model, (network.batch, *network.shape)
    finally:
        keras.config.set_dtype_policy("float32")


def small_families():
    """`tests/applications/families.py`, which has a small setting of every family."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.applications import families

    return families
