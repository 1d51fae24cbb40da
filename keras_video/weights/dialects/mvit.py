"""Multiscale vision transformers (arXiv:2104.11227, arXiv:2112.01526) of three projects:
torchvision, the SlowFast repository and PyTorchVideo."""

import re

import numpy as np

from keras_video.weights.dialects.dialect import Dialect, either

POOLS = r"attn\.pool_[qkv]\.weight|attn\.norm_[qkv]\.(?:weight|bias)"
BLOCK = either(
    r"blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|[qkv]|proj)|mlp\.fc[12]|proj)\.(?:weight|bias)",
    rf"blocks\.\d+\.(?:{POOLS})",
)
DISTANCES = r"blocks\.\d+\.attn\.rel_pos_[hwt]"


def fuse_projections(state):
    """Joins the projections of queries, keys and values into one layer."""
    fused = {}
    for name, array in state.items():
        match = re.fullmatch(r"(blocks\.\d+\.attn\.)([qkv])\.(weight|bias)", name)
        if match is None:
            fused[name] = array
            continue
        block, _, parameter = match.groups()
        parts = [f"{block}{letter}.{parameter}" for letter in "qkv"]
        if all(part in state for part in parts):
            fused[f"{block}qkv.{parameter}"] = np.concatenate([state[part] for part in parts])
        else:
            fused[name] = array
    return fused


def with_three_axes(state):
    """Reshapes the class token and position embeddings to `(1, positions, width)`."""
    return {
        name: array.reshape(1, -1, array.shape[-1]) if name.startswith("pos_encoding.") else array
        for name, array in state.items()
    }


TORCHVISION_MVIT = Dialect(
    name="torchvision_mvit",
    pattern=either(
        r"conv_proj\.(?:weight|bias)",
        r"pos_encoding\.(?:class_token|spatial_pos|temporal_pos|class_pos)",
        r"blocks\.\d+\.(?:norm[12]|attn\.qkv|attn\.project\.0|mlp\.[03]|project)\.(?:weight|bias)",
        r"blocks\.\d+\.attn\.pool_[qkv]\.(?:pool\.weight|norm_act\.0\.(?:weight|bias))",
        DISTANCES,
        r"(?:norm|head\.1)\.(?:weight|bias)",
    ),
    rules=(
        (r"^conv_proj\.", "patch_embed.projection."),
        (r"^pos_encoding\.class_token$", "embedding.cls_token"),
        (r"^pos_encoding\.(spatial|temporal|class)_pos$", r"embedding.pos_embed_\1"),
        (r"\.attn\.project\.0\.", ".attn.proj."),
        (r"\.pool_([qkv])\.pool\.", r".pool_\1."),
        (r"\.pool_([qkv])\.norm_act\.0\.", r".norm_\1."),
        (r"\.mlp\.0\.", ".mlp.fc1."),
        (r"\.mlp\.3\.", ".mlp.fc2."),
        (r"(blocks\.\d+)\.project\.", r"\1.proj."),
        (r"^norm\.", "norm3."),
        (r"^head\.1\.", "fc_cls."),
    ),
    transforms=(with_three_axes,),
    head=r"head\.",
)

SLOWFAST_MVIT = Dialect(
    name="slowfast_mvit",
    pattern=either(
        r"patch_embed\.proj\.(?:weight|bias)",
        r"cls_token|pos_embed_(?:spatial|temporal|class)",
        BLOCK,
        DISTANCES,
        r"(?:norm|head\.projection)\.(?:weight|bias)",
    ),
    rules=(
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"^(cls_token|pos_embed_\w+)$", r"embedding.\1"),
        (r"^norm\.", "norm3."),
        (r"^head\.projection\.", "fc_cls."),
    ),
    transforms=(fuse_projections,),
    head=r"head\.",
)

PYTORCHVIDEO_MVIT = Dialect(
    name="pytorchvideo_mvit",
    pattern=either(
        r"patch_embed\.patch_model\.(?:weight|bias)",
        r"cls_positional_encoding\.(?:cls_token|pos_embed_(?:spatial|temporal|class))",
        BLOCK,
        r"(?:norm_embed|head\.proj)\.(?:weight|bias)",
    ),
    rules=(
        (r"^patch_embed\.patch_model\.", "patch_embed.projection."),
        (r"^cls_positional_encoding\.", "embedding."),
        (r"^norm_embed\.", "norm3."),
        (r"^head\.proj\.", "fc_cls."),
    ),
    transforms=(fuse_projections,),
    head=r"head\.",
)
