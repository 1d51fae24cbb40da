"""Worker: one MMAction2 0.24.1 recognizer in PyTorch eager mode, on the CPU.

Runs in the environment that peer_environment.py describes; started by models.py. To run it alone:

    echo "run 5" | python peer_mmaction2.py --row CONFIG --shape 1,8,224,224,3

The weights are random: speed does not depend on them.
"""

import argparse
from pathlib import Path

import peer_environment
import peer_runtimes
import torch
import worker

PRETRAINED = {"pretrained": None, "pretrained2d": False}


def config_file(name):
    """Path of the config that MMAction2 ships under this name.

    Raises:
        FileNotFoundError: there is no such config.
    """
    import mmaction

    folder = Path(mmaction.__file__).parent / ".mim" / "configs"
    paths = sorted(folder.rglob(f"{name}.py"))
    if not paths:
        raise FileNotFoundError(f"MMAction2 {mmaction.__version__} ships no config {name!r}")
    return paths[0]


def recognizer(name):
    """The recognizer of a config, with random weights."""
    from mmaction.models import build_model
    from mmcv import Config

    model = Config.fromfile(str(config_file(name))).model
    pathways = (model.backbone.get(f"{speed}_pathway") for speed in ("slow", "fast"))
    for backbone in filter(None, (model.backbone, *pathways)):
        backbone.update({k: v for k, v in PRETRAINED.items() if k in backbone})
    network = build_model(model)
    network.max_testing_views = None  # with a limit, a recognizer takes no batch of clips
    return network


def clips(model, shape):
    """Random input in the recognizer's layout, for a shape in ours.

    Args:
        model: a recognizer.
        shape: (batch, frames, height, width, channels), or (batch, time, mels, 1) for audio.

    Returns:
        A float tensor (batch, views, channels, …) or (batch, segments, channels, …).
    """
    channels_first = torch.randn(shape).movedim(-1, 1)
    if type(model).__name__ == "Recognizer2D":
        return channels_first.transpose(1, 2).contiguous()
    return channels_first[:, None].contiguous()


def store_channels_last(model):
    """Stores convolution kernels in channels_last; TPN has 2-D and 3-D ones."""
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in model.parameters():
        if parameter.dim() in layouts:
            parameter.data = parameter.data.contiguous(memory_format=layouts[parameter.dim()])


class Scores(torch.nn.Module):
    """The scores of a recognizer for clips, as in MMAction2's own export."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, data):
        return self.model.forward_dummy(data)[0]


def inference(model, data, bfloat16):
    """A callable that runs one forward pass."""
    model.eval()

    def run():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            model(data, return_loss=False)

    return run


def training(model, data, bfloat16):
    """A callable that runs one step: forward (optionally under autocast), backward, SGD."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    kind = "audios" if type(model).__name__ == "AudioRecognizer" else "imgs"
    batch = {kind: data, "label": torch.zeros(len(data), 1, dtype=torch.long)}
    if bfloat16:  # the head computes the accuracy in NumPy, without bfloat16
        model.cls_head.register_forward_hook(lambda head, clips, scores: scores.float())

    def run():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = model.train_step(batch, optimizer)["loss"]
        loss.backward()
        optimizer.step()

    return run


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    peer_environment.fill_gaps()
    torch.manual_seed(0)
    model = recognizer(args.row)
    data = clips(model, args.shape)
    if args.channels_last:
        store_channels_last(model)
    if args.compile:
        model.forward = torch.compile(model.forward)
    if args.runtime:
        run = peer_runtimes.in_runtime(Scores(model), data, args.runtime, args.mode)
    else:
        run = {"inference": inference, "train": training}[args.mode](model, data, args.bfloat16)
    run()
    run()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    facts = {"parameters": parameters, "threads": torch.get_num_threads()}
    return run, {"torch": torch.__version__} | facts


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--row", required=True, help="name of an MMAction2 config")
    add_form_flags(parser)
    return parser


def add_form_flags(parser):
    """Adds the flags that every PyTorch worker takes."""
    parser.add_argument("--shape", required=True, type=lambda s: tuple(map(int, s.split(","))))
    parser.add_argument("--mode", choices=("inference", "train"), default="inference")
    parser.add_argument("--channels_last", action="store_true")
    parser.add_argument("--bfloat16", action="store_true", help="under autocast")
    parser.add_argument("--compile", action="store_true", help="through torch.compile (inductor)")
    parser.add_argument(
        "--runtime", choices=peer_runtimes.RUNTIMES, help="run an exported file (inference only)"
    )


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
