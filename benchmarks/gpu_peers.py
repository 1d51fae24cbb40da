"""Plain PyTorch on a GPU: networks of MMAction2 0.24.1 and transformers, with random weights.

`mmaction2_peer.build(config)` is imported from the folder `--peers`; transformers are those of the
package `transformers`. Convolutional networks are in channels_last; bfloat16 is by autocast.
"""

import contextlib
import sys
import warnings

import gpu_cases
import torch

SMALL = {"image_size": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 96}  # fmt: skip


def build(name, smoke, peers):
    """A network as a module from `(batch, frames, height, width, channels)` to logits.

    Raises:
        LookupError: the network has no peer, or `peers` is None but needed.
    """
    peer = gpu_cases.NETWORKS[name].peer
    if peer is None:
        raise LookupError(f"{name}: no PyTorch original is known.")
    project, config = peer
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if project == "transformers":
            return Tokens(transformers_model(config, smoke))
        if peers is None:
            raise LookupError(
                f"{name}: expected --peers, the folder of mmaction2_peer.py, received none."
            )
        return Convolutions(mmaction2_model(config, peers))


def mmaction2_model(config, folder):
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # An installed torchvision has to register its operators before the peers provide them.
    with contextlib.suppress(ImportError, RuntimeError):
        import torchvision  # noqa: F401
    import mmaction2_peer

    return mmaction2_peer.build(config)


def transformers_model(kind, smoke):
    import transformers

    frames = 4 if smoke else {"videomae": 16, "timesformer": 8}[kind]
    settings = {"num_frames": frames, "num_labels": 400} | (SMALL if smoke else {})
    if kind == "videomae":
        settings["use_mean_pooling"] = True
        return transformers.VideoMAEForVideoClassification(transformers.VideoMAEConfig(**settings))
    return transformers.TimesformerForVideoClassification(
        transformers.TimesformerConfig(**settings)
    )


class Tokens(torch.nn.Module):
    """A classifier of transformers."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(pixel_values=x).logits

    def layout(self, clips):
        return clips.movedim(-1, 2).contiguous()


class Convolutions(torch.nn.Module):
    """Backbone and head of a recognizer of MMAction2, stored in channels_last."""

    def __init__(self, model):
        super().__init__()
        self.frames = type(model).__name__ == "Recognizer2D"
        self.backbone, self.head = model.backbone, model.cls_head
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        for parameter in self.parameters():
            if parameter.dim() in formats:
                parameter.data = parameter.data.contiguous(memory_format=formats[parameter.dim()])

    def forward(self, x):
        if not self.frames:
            return self.head(self.backbone(x))
        batch, length = x.shape[:2]
        return self.head(self.backbone(x.flatten(0, 1)), length).reshape(batch, -1)

    def layout(self, clips):
        """Clips with the channels axis moved; in memory, channels stay last."""
        return clips.movedim(-1, 2 if self.frames else 1)


def precision(dtype, device):
    """The context that sets the precision of a network."""
    if dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device, torch.bfloat16)


def prepare(case, smoke, peers, device):
    """A function that runs one step of a case, and facts about the case."""
    _, name, mode, dtype, compiled = case
    model = build(name, smoke, peers).to(device).train(mode == "train")
    shape = clip_shape(name, smoke)
    clips = model.layout(torch.randn(shape, device=device))
    forward = torch.compile(model) if compiled else model
    run = (training if mode == "train" else inference)(model, forward, clips, dtype, device)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return run, {"batch": shape[0], "parameters": parameters}


def clip_shape(name, smoke):
    """The shape of a batch.

    MMAction2's heads pool windows of a fixed size, which limits how small clips can be.
    """
    network = gpu_cases.NETWORKS[name]
    if not smoke:
        return (network.batch, *network.shape)
    tokens = network.peer[0] == "transformers"
    frames = 4 if tokens else network.shape[0]
    size = 32 if tokens else 64
    return (2, frames, size, size, 3)


def inference(model, forward, clips, dtype, device):
    def run():
        with torch.no_grad(), precision(dtype, device):
            return forward(clips)

    return run


def training(model, forward, clips, dtype, device):
    """A function that runs a training step: forward, backward, SGD with momentum."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    labels = torch.zeros(len(clips), dtype=torch.long, device=device)

    def run():
        optimizer.zero_grad()
        with precision(dtype, device):
            logits = forward(clips)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss

    return run
