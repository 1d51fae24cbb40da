"""Worker: one network of torchvision, PyTorchVideo, transformers or MMAction2 1.2 on the CPU.

Runs in the environments that peer_environment.py describes; started by runtimes.py. To run it
alone:

    echo "run 5" | python peer_networks.py --network torchvision/r3d_18 --shape 1,16,112,112,3

The weights are random: speed does not depend on them.
"""

import argparse
from pathlib import Path

import peer_environment
import peer_mmaction2
import peer_runtimes
import torch
import worker

CLASSES = 400


def torchvision_network(name, _):
    from torchvision.models import video

    return getattr(video, name)(weights=None)


def pytorchvideo_network(name, _):
    from pytorchvideo.models import hub

    return getattr(hub, name)(pretrained=False)


class Tokens(torch.nn.Module):
    """A classifier of transformers that takes clips whose second axis is channels."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, clips):
        return self.model(clips.transpose(1, 2)).logits


def transformers_network(name, shape):
    """VideoMAE and ViViT in the base size, V-JEPA 2 in the large one, which are the defaults."""
    import transformers

    frames, height = shape[1:3]
    config, model, settings = {
        "videomae": ("VideoMAEConfig", "VideoMAEForVideoClassification", {"num_frames": frames}),
        "vivit": ("VivitConfig", "VivitForVideoClassification", {"num_frames": frames}),
        "vjepa2": (
            "VJEPA2Config",
            "VJEPA2ForVideoClassification",
            {"frames_per_clip": frames, "crop_size": height},
        ),
    }[name]
    config = getattr(transformers, config)(num_labels=CLASSES, **settings)
    return Tokens(getattr(transformers, model)(config))


class Recognizer(torch.nn.Module):
    """Backbone and head of a recognizer of MMAction2 1.2."""

    def __init__(self, model):
        super().__init__()
        self.backbone, self.head = model.backbone, model.cls_head

    def forward(self, clips):
        return self.head(self.backbone(clips))


def mmaction2_1_network(name, _):
    peer_environment.fill_gaps_of_1()
    import mmaction
    import mmaction.models  # noqa: F401  (registers the networks)
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    init_default_scope("mmaction")
    folder = Path(mmaction.__file__).parent / ".mim" / "configs"
    config = Config.fromfile(str(next(folder.rglob(f"{name}.py")))).model
    overrides = {"pretrained": None, "init_cfg": None, "clip_pretrained": False}
    config.backbone.update({k: v for k, v in overrides.items() if k in config.backbone})
    return Recognizer(MODELS.build(config))


PROJECTS = {
    "torchvision": torchvision_network,
    "pytorchvideo": pytorchvideo_network,
    "transformers": transformers_network,
    "mmaction2-1.2": mmaction2_1_network,
}


def inference(model, clips, bfloat16):
    """A callable that runs one forward pass."""
    model.eval()

    def run():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            model(clips)

    return run


def training(model, clips, bfloat16):
    """A callable that runs one step: forward (optionally under autocast), backward, SGD."""
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)
    labels = torch.zeros(len(clips), dtype=torch.long)

    def run():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = torch.nn.functional.cross_entropy(model(clips), labels)
        loss.backward()
        optimizer.step()

    return run


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    peer_environment.fill_gaps()
    torch.manual_seed(0)
    project, _, name = args.network.partition("/")
    model = PROJECTS[project](name, args.shape)
    clips = torch.randn(args.shape).movedim(-1, 1).contiguous()
    if args.channels_last:
        peer_mmaction2.store_channels_last(model)
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    forward = torch.compile(model) if args.compile else model
    if args.runtime:
        run = peer_runtimes.in_runtime(model, clips, args.runtime, args.mode)
    else:
        run = {"inference": inference, "train": training}[args.mode](forward, clips, args.bfloat16)
    run()
    run()
    facts = {"parameters": parameters, "threads": torch.get_num_threads()}
    return run, {"torch": torch.__version__} | facts


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--network", required=True, help="project/network")
    peer_mmaction2.add_form_flags(parser)
    return parser


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
