"""Transformers whose maps get smaller from stage to stage, by their names and shapes."""

import math
import re

from keras_video.applications import mvit, swin3d, uniformer
from keras_video.applications.architectures.found import Found, square


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


def mvit_network(layers):
    """MViT; widths tell the blocks that halve the map, tables the clips they are made for."""
    stem, pool = layers.shape("patch_embed.projection.weight"), "attn.pool_k.weight"
    if len(stem) != 5 or not layers.shape(f"blocks.0.{pool}"):
        return None
    (depth,) = counts(layers, r"^(blocks)\.(\d+)\.")
    changes = [index for index in range(depth) if f"blocks.{index}.proj.weight" in layers]
    in_attention = all(
        layers.shape(f"blocks.{index}.attn.proj.weight")[0]
        == layers.shape(f"blocks.{index}.proj.weight")[0]
        for index in changes
    )
    version = 2 if "blocks.0.attn.rel_pos_h" in layers else 1
    numbers = {
        "embed_dim": stem[0],
        "num_layers": depth,
        "num_heads": stem[0] // layers.shape(f"blocks.0.{pool}")[0],
        "downscale": tuple(index if in_attention else index + 1 for index in changes),
    }
    named = [
        size for (number, size), known in mvit.SIZES.items()
        if number == version and all(known[key] == each for key, each in numbers.items())
    ]  # fmt: skip
    arguments = {
        "version": version,
        "widen_in": "attention" if in_attention else "mlp",
        **({"size": named[0]} if named else numbers),
    }
    clip, undetermined = table_clip(layers, version), {}
    if clip is None:
        undetermined["position_shape"] = "(frames, height, width) of the clips of its positions"
    else:
        arguments["position_shape"] = clip
        arguments["input_shape"] = (*clip, stem[1])
    return Found("MViT", arguments, undetermined)


def table_clip(layers, version):
    """Frames, height and width of the clips that an MViT's tables are made for, or `None`."""
    if version == 2:
        tables = [layers.shape(f"blocks.0.attn.rel_pos_{axis}") for axis in "thw"]
        patches = [(table[0] + 1) // 2 for table in tables]
    else:
        side = square(layers.shape("embedding.pos_embed_spatial")[1])
        if side is None:
            return None
        patches = [layers.shape("embedding.pos_embed_temporal")[1], side, side]
    return tuple(count * stride for count, stride in zip(patches, mvit.STRIDES, strict=True))


def uniformer_network(layers):
    """UniFormer; into how many heads a width is divided is not among its weights."""
    depths = counts(layers, r"^blocks(\d)\.(\d+)\.")
    widths = tuple(
        layers.shape(f"patch_embed{stage}.proj.weight")[0]
        for stage in range(1, len(depths) + 1)
        if layers.shape(f"patch_embed{stage}.proj.weight")
    )
    if not depths or len(widths) != len(depths):
        return None
    for size, numbers in uniformer.SIZES.items():
        if (numbers["depths"], uniformer.WIDTHS) == (depths, widths):
            return Found("UniFormer", {"size": size})
    undetermined = {"head_dim": "channels of an attention head"}
    return Found("UniFormer", {"depths": depths, "widths": widths}, undetermined)


def counts(layers, pattern):
    """How many blocks each stage has, by a pattern of a stage's and a block's number."""
    blocks = {}
    for name in layers.shapes:
        found = re.match(pattern, name)
        if found:
            blocks.setdefault(found[1], set()).add(int(found[2]))
    return tuple(len(blocks[stage]) for stage in sorted(blocks))
