"""Detection of hierarchical transformers from their tensor names and shapes."""

import math
import re

from keras_video.applications import mvit, swin3d, uniformer
from keras_video.applications.architectures.detected import DetectedNetwork, square


def swin3d_network(layers):
    """Swin3D: windowed attention over clips."""
    stem, table = layers.shape("patch_embed.proj.weight"), "attn.relative_position_bias_table"
    depths = counts(layers, r"^layers\.(\d+)\.blocks\.(\d+)\.")
    if len(stem) != 5 or not depths or "norm3.weight" not in layers:
        return None
    heads = tuple(
        layers.shape(f"layers.{stage}.blocks.0.{table}")[1] for stage in range(len(depths))
    )
    dimensions = {"embed_dim": stem[0], "depths": depths, "num_heads": heads}
    named = [
        size for size, numbers in swin3d.SIZES.items() if numbers["embed_dim"] == stem[0]
        and numbers["depths"] == depths and numbers["num_heads"] == heads
    ]  # fmt: skip
    arguments = {"size": named[0]} if named else {"size": "tiny", **dimensions}
    arguments["patch_size"] = stem[2:]
    usual = math.prod(2 * side - 1 for side in swin3d.WINDOW)
    undetermined = {"window_size": "size of a window in patches: time, height and width"}
    known = layers.shape(f"layers.0.blocks.0.{table}")[0] == usual
    return DetectedNetwork("Swin3D", arguments, {} if known else undetermined)


def mvit_network(layers):
    """MViT; widths determine the downscaling blocks, position tables the clip size."""
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
        if number == version and all(known[key] == value for key, value in numbers.items())
    ]  # fmt: skip
    arguments = {
        "version": version,
        "widen_in": "attention" if in_attention else "mlp",
        **({"size": named[0]} if named else numbers),
    }
    clip, undetermined = table_clip(layers, version), {}
    if clip is None:
        undetermined["position_shape"] = (
            "(frames, height, width) of the clips that its position tables are for"
        )
    else:
        arguments["position_shape"] = clip
        arguments["input_shape"] = (*clip, stem[1])
    return DetectedNetwork("MViT", arguments, undetermined)


def table_clip(layers, version):
    """Frames, height and width of the clips that an MViT's position tables are for, or `None`."""
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
    """UniFormer; the weights do not determine the number of attention heads."""
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
            return DetectedNetwork("UniFormer", {"size": size})
    undetermined = {"head_dim": "channels of an attention head"}
    return DetectedNetwork("UniFormer", {"depths": depths, "widths": widths}, undetermined)


def counts(layers, pattern):
    """The number of blocks per stage; the pattern captures the stage and the block number."""
    blocks = {}
    for name in layers.shapes:
        match = re.match(pattern, name)
        if match:
            blocks.setdefault(match[1], set()).add(int(match[2]))
    return tuple(len(blocks[stage]) for stage in sorted(blocks))
