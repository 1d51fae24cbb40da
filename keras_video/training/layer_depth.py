"""The depth of variables in a transformer."""

import re

# Blocks of the model families, numbered over all stages or within one.
_BLOCKS = (
    re.compile(r"blocks_(?P<index>\d+)[_/]"),  # VideoMAE, ViViT, V-JEPA 2, MViT
    re.compile(r"transformer_layers_layers_(?P<index>\d+)_"),  # TimeSformer
    re.compile(r"transformer_resblocks_(?P<index>\d+)_"),  # UniFormerV2
    re.compile(r"layers_(?P<stage>\d+)_blocks_(?P<index>\d+)_"),  # Swin
    re.compile(r"blocks(?P<stage>\d+)_(?P<index>\d+)_"),  # UniFormer
)
# Layers between two stages have the depth of the last block before them.
_AFTER_STAGE = re.compile(r"layers_(?P<stage>\d+)_downsample_")  # Swin
_BEFORE_STAGE = re.compile(r"patch_embed(?P<stage>[2-9])_")  # UniFormer
_START = re.compile(r"patch_embed|embedding[_/]|positions[_/]|ln_pre[_/]")


def layer_depths(paths):
    """The depth of the variables of a transformer, from the names of their layers.

    Patch embedding, positions and tokens at the start have depth 0, the blocks 1, 2 and so on over
    all stages, the layers after the blocks (norm, pooling, classifier) the number of blocks plus 1,
    as in BEiT (arXiv:2106.08254). Layers between two stages have the depth of the last block
    before them.

    Args:
        paths: of variables, such as "blocks_3/attn/qkv/kernel", of a network of
            `keras_video.applications`: VideoMAE, ViViT, VJEPA2, TimeSformer, MViT, Swin3D,
            UniFormer, UniFormerV2, or a 2D recognizer (TSN and others) with a Swin backbone.

    Returns:
        `{path: depth}`. The classifier has the greatest depth.

    Raises:
        ValueError: if none of the variables belongs to a block.
    """
    paths = list(paths)
    blocks = {path: block for path in paths if (block := _block(path)) is not None}
    if not blocks:
        raise ValueError(
            f"layer_decay: received {len(paths)} variables such as {', '.join(paths[:3])}, "
            "expected blocks of a transformer among them."
        )
    counts = {}
    for stage, index in blocks.values():
        counts[stage] = max(counts.get(stage, 0), index + 1)
    ends, end = {}, 0
    for stage in sorted(counts):
        end += counts[stage]
        ends[stage] = end
    return {path: _depth(path, blocks.get(path), counts, ends) for path in paths}


def _block(path):
    """`(stage, index)` of the block that a variable belongs to, or `None`."""
    for pattern in _BLOCKS:
        if match := pattern.match(path):
            groups = match.groupdict()
            return int(groups.get("stage") or 0), int(groups["index"])
    return None


def _depth(path, block, counts, ends):
    last = max(ends.values())
    if block is not None:
        stage, index = block
        return ends[stage] - counts[stage] + index + 1
    if match := _AFTER_STAGE.match(path):
        return ends.get(int(match["stage"]), 0)
    if match := _BEFORE_STAGE.match(path):
        return ends.get(int(match["stage"]) - 1, 0)
    return 0 if _START.match(path) else last + 1
