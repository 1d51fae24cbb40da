"""The cases of runtimes.py: a row of every family, the shape of a clip, and its original.

An original is named `project/network`. MMAction2 0.24.1 runs in one environment with torchvision,
PyTorchVideo and transformers; MMAction2 1.2 (its package has the same name) and the TensorFlow
Model Garden each need a separate one: peer_environment.py and peer_movinet.py describe how to
create them.
"""

import dataclasses
from pathlib import Path

import families

HERE = Path(__file__).parent
# Projects whose Python has its own option of runtimes.py; all others use --peer_python.
MMACTION2_1, MODEL_GARDEN = "mmaction2-1.2", "model-garden"


@dataclasses.dataclass(frozen=True)
class Case:
    """The clips of a row and the original that it is compared with.

    Attributes:
        shape: frames, height, width and channels of a clip, as a string with commas.
        peer: project and network of the original.
    """

    shape: str
    peer: str

    @property
    def project(self):
        return self.peer.partition("/")[0]

    def peer_command(self, mode):
        """Script and flags of the original's worker, and names and flags of its forms."""
        network = self.peer.partition("/")[2]
        if self.project == MODEL_GARDEN:
            return [HERE / "peer_movinet.py", "--model", network, "--mode", mode], GARDEN
        forms = PYTORCH if mode == "train" else PYTORCH | EXPORTED
        if self.project == "mmaction2":
            return [HERE / "peer_mmaction2.py", "--row", network, "--mode", mode], forms
        return [HERE / "peer_networks.py", "--network", self.peer, "--mode", mode], forms


PYTORCH = {
    "PyTorch eager": [],
    "PyTorch channels_last": ["--channels_last"],
    "PyTorch compiled": ["--compile"],
}
# The runtimes of our export, running the original's own export.
EXPORTED = {
    "ONNX Runtime, original": ["--runtime", "onnx"],
    "OpenVINO, original": ["--runtime", "openvino"],
}
GARDEN = {"Model Garden": []}

MMACTION2 = {
    **families.CASES[2],
    **families.CASES[3],
    "timesformer_divST_8x32x1_15e_kinetics400_rgb": "1,8,224,224,3",
}
CASES = {
    **{row: Case(shape.partition(",")[2], f"mmaction2/{row}") for row, shape in MMACTION2.items()},
    "r3d_18_16x2x1_45e_kinetics400_torchvision": Case("16,112,112,3", "torchvision/r3d_18"),
    "mc3_18_16x2x1_45e_kinetics400_torchvision": Case("16,112,112,3", "torchvision/mc3_18"),
    "r2plus1d_18_16x2x1_45e_kinetics400_torchvision": Case(
        "16,112,112,3", "torchvision/r2plus1d_18"
    ),
    # A quarter of the frames of the row's clips.
    "s3d_128x2x1_kinetics400_torchvision": Case("32,224,224,3", "torchvision/s3d"),
    "c2d_r50_8x8x1_kinetics400_pytorchvideo": Case("8,224,224,3", "pytorchvideo/c2d_r50"),
    "x3d_m_16x5x1_kinetics400_pytorchvideo": Case("16,224,224,3", "pytorchvideo/x3d_m"),
    "movinet_a0_base": Case("50,172,172,3", f"{MODEL_GARDEN}/a0"),
    "mvit_v2_s_kinetics400_torchvision": Case("16,224,224,3", "torchvision/mvit_v2_s"),
    "swin3d_t_kinetics400_torchvision": Case("32,224,224,3", "torchvision/swin3d_t"),
    "videomae-base-finetuned-kinetics": Case("16,224,224,3", "transformers/videomae"),
    "vivit-b-16x2-kinetics400": Case("32,224,224,3", "transformers/vivit"),
    # A quarter of the positions of the row's clips.
    "vjepa2-vitl-fpc16-256-ssv2": Case("16,128,128,3", "transformers/vjepa2"),
    "uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb": Case(
        "16,224,224,3", f"{MMACTION2_1}/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb"
    ),
    "uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb": Case(
        "8,224,224,3", f"{MMACTION2_1}/uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb"
    ),
}
