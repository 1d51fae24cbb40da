"""Checkpoints in their published layouts, with deterministic values."""

import gzip
import json
import re
import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "fixtures" / "checkpoints" / "layouts.json.gz"

# `{row: [[name, shape], ...]}` of the networks that MMAction2 0.24.1 builds for these rows.
LAYOUTS = json.loads(gzip.decompress(FILE.read_bytes()))

COUNTERS = re.compile(r"(num_batches_tracked|relative_position_index|attn_mask)$")


def tensor(name, shape):
    """A tensor whose values depend on its name and its axes."""
    if COUNTERS.search(name):
        return np.full(shape, 7, np.int64)
    size = int(np.prod(shape, dtype=np.int64))
    # A prime number of values, so that no axis repeats another.
    values = np.random.default_rng(zlib.crc32(name.encode())).uniform(0.1, 1, 4093)
    return np.resize(values.astype(np.float32), size).reshape(shape)


def state(row_id):
    """The checkpoint of a row, `{name: array}`."""
    return {name: tensor(name, shape) for name, shape in LAYOUTS[row_id]}


def body(row_id, *renamings):
    """The body of a row's network under another library's names.

    Args:
        renamings: pairs of pattern and replacement, applied in order.
    """
    renamed = {}
    for name, shape in LAYOUTS[row_id]:
        if name.startswith("backbone."):
            for pattern, replacement in renamings:
                name = re.sub(pattern, replacement, name)
            renamed[name] = tensor(name, shape)
    return renamed


BARE = (r"^backbone\.", "")
TORCHVISION = (
    BARE,
    (r"(conv(\d))\.conv\.", r"\1."),
    (r"conv(\d)\.bn\.", r"bn\1."),
    (r"downsample\.conv\.", "downsample.0."),
    (r"downsample\.bn\.", "downsample.1."),
)
OLD_DENSENET = (BARE, (r"(norm|conv)(\d)\.(?=weight|bias|running|num)", r"\1.\2."))


def torchvision_resnet(row_id):
    """An image ResNet under torchvision's names."""
    state = body(row_id, (r"\.net\.", "."), *TORCHVISION)
    width = state["layer4.1.bn2.weight"].size * (4 if "layer4.1.conv3.weight" in state else 1)
    return {**state, **head("fc", width)}


def torchvision_densenet(row_id):
    """DenseNet-161 under the names of torchvision's file, with dots inside layer names."""
    dense = re.compile(r"denselayer\d+\.")
    state = {}
    for name, shape in LAYOUTS[row_id]:
        if name.startswith("backbone."):
            pattern, text = OLD_DENSENET[1]
            name = re.sub(*BARE, name)
            name = re.sub(pattern, text, name) if dense.search(name) else name
            state[name] = tensor(name, shape)
    return {**state, **head("classifier", 2208)}


def mmcls(row_id, width):
    """An image classifier under mmcls' names."""
    return {**body(row_id, (r"\.net\.", ".")), **head("head.fc", width)}


def timm_swin(row_id):
    """Swin-B under the names of its authors' file."""
    return {**body(row_id, BARE), **head("head", 1024)}


def timm_vit():
    """ViT-B/16 of ImageNet-21K under timm's names."""
    shapes = {
        "cls_token": (1, 1, 768),
        "pos_embed": (1, 197, 768),
        "patch_embed.proj.weight": (768, 3, 16, 16),
        "patch_embed.proj.bias": (768,),
        "norm.weight": (768,),
        "norm.bias": (768,),
        "pre_logits.fc.weight": (768, 768),
        "pre_logits.fc.bias": (768,),
    }
    layers = {
        "norm1": (768,), "norm2": (768,), "attn.qkv": (2304, 768), "attn.proj": (768, 768),
        "mlp.fc1": (3072, 768), "mlp.fc2": (768, 3072),
    }  # fmt: skip
    for index in range(12):
        for name, shape in layers.items():
            shapes[f"blocks.{index}.{name}.weight"] = shape
            shapes[f"blocks.{index}.{name}.bias"] = shape[:1]
    return {**{name: tensor(name, s) for name, s in shapes.items()}, **head("head", 768, 21843)}


def head(name, width, classes=1000):
    """The classifier of an image network."""
    shapes = {f"{name}.weight": (classes, width), f"{name}.bias": (classes,)}
    return {key: tensor(key, shape) for key, shape in shapes.items()}
