"""Transformers whose maps get smaller from stage to stage, by their names and shapes."""

import math
import re

from keras_video.applications import swin3d
from keras_video.applications.architectures.found import Found


def swin3d_network(layers):
    """Swin3D: windows over clips."""
    stem, table = layers.shape("patch_embed.proj.weight"), "attn.relative_position_bias_table"
    depths = counts(layers, r"^layers\.(\d+)\.blocks\.(\d+)\.")
    if len(stem) != 5 or not depths or "norm3.weight" not in layers:
        return None
    heads = tuple(
        layers.shape(f"layers.{stage}.blocks.0.{table}")[1] for stage in range(len(depths))
    )
    found = {"embed_dim": stem[0], "depths": depths, "num_heads": heads}
    named = [
        size for size, numbers in swin3d.SIZES.items() if numbers["embed_dim"] == stem[0]
        and numbers["depths"] == depths and numbers["num_heads"] == heads
    ]  # fmt: skip
    arguments = {"size": named[0]} if named else {"size": "tiny", **found}
    arguments["patch_size"] = stem[2:]
    usual = math.prod(2 * side - 1 for side in swin3d.WINDOW)
    undetermined = {"window_size": "patches of a window along time, height and width"}
    known = layers.shape(f"layers.0.blocks.0.{table}")[0] == usual
    return Found("Swin3D", arguments, {} if known else undetermined)


def counts(layers, pattern):
    """How many blocks each stage has, by a pattern of a stage's and a block's number."""
    blocks = {}
    for name in layers.shapes:
        found = re.match(pattern, name)
        if found:
            blocks.setdefault(int(found[1]), set()).add(int(found[2]))
    return tuple(len(blocks[stage]) for stage in sorted(blocks))
