"""MViT: multiscale transformers whose feature maps are pooled from stage to stage."""

import numpy as np
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.conv3d import Conv3D
from keras_video.layers.dense import Dense, gelu, small_normal
from keras_video.layers.drop_path import drop_path as drop_branch
from keras_video.layers.pooling_attention import PoolingAttention, PoolTokens, pooled_size
from keras_video.layers.separate_positions import SeparateTokenEmbedding
from keras_video.layers.space_time_attention import layer_norm
from keras_video.layers.tokens import ClassToken, PatchMap

__all__ = ["MViT", "decode_predictions", "preprocess_input"]

# Tables 1 and 5 of arXiv:2112.01526, and table 2 of arXiv:2104.11227. Blocks are counted from 0.
SIZES = {
    (1, "base"): {
        "embed_dim": 96, "num_layers": 16, "num_heads": 1, "downscale": (1, 3, 14),
        "drop_path": 0.2,
    },
    (2, "small"): {
        "embed_dim": 96, "num_layers": 16, "num_heads": 1, "downscale": (1, 3, 14),
        "drop_path": 0.2,
    },
    (2, "base"): {
        "embed_dim": 96, "num_layers": 24, "num_heads": 1, "downscale": (2, 5, 21),
        "drop_path": 0.3,
    },
    (2, "large"): {
        "embed_dim": 144, "num_layers": 48, "num_heads": 2, "downscale": (2, 8, 44),
        "drop_path": 0.75,
    },
}  # fmt: skip
# Frames, height and width.
KERNEL, STRIDES, PADDING = (3, 7, 7), (2, 4, 4), (1, 3, 3)
KEY_STRIDE = 8
DEFAULT_SHAPES = {"small": (16, 224, 224, 3), "base": (32, 224, 224, 3), "large": (40, 312, 312, 3)}


@documented
def MViT(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="mvit",
    *,
    version=2,
    size=None,
    embed_dim=None,
    num_layers=None,
    num_heads=None,
    downscale=None,
    widen_in=None,
    position_shape=None,
    drop_path=None,
    dropout=0.5,
):
    """Multiscale vision transformer, version 1 (arXiv:2104.11227) or 2 (arXiv:2112.01526).

    A few blocks halve height and width of the feature map, and double its channels and heads. Keys
    and values are pooled further. Version 1 adds learned position embeddings to the patches;
    version 2 has relative position embeddings in each attention layer, and adds the pooled queries
    to the attention output (residual pooling).

    Args:
        include_top: whether to include the classification head on the class token.
        weights: see `keras_video.applications.pretrained.load_pretrained`. Position tables of
            other sizes are interpolated linearly.
        input_shape: `(frames, height, width, channels)`, all known; if not given, the published
            `(16, 224, 224, 3)` of version 1 and of "small", `(32, 224, 224, 3)` of version 2's
            "base", `(40, 312, 312, 3)` of "large".
        pooling: without the top: `None` (the feature map
            `(batch, frames / 2, height / 32, width / 32, 8 * embed_dim)`, rounded up), "avg" or
            "max" of it, or "token" (the class token).
        version: 1 or 2.
        size: "base" of version 1; "small", "base" or "large" of version 2. The first of these if
            not given. It sets the next four and `drop_path`.
        embed_dim: channels of the first blocks.
        num_layers: number of blocks.
        num_heads: attention heads of the first blocks.
        downscale: indices, from 0, of the blocks that halve the feature map.
        widen_in: where channels double: in the "attention" of the downscaling block (default of
            version 2), or in the "mlp" of the block before (default of version 1).
        position_shape: `(frames, height, width)` of the clips that the position tables are built
            for, those of the input if not given. For other clips the tables are interpolated, as
            in the published networks.
        drop_path: stochastic depth rate of the last block, increasing linearly from 0 at the first.
        dropout: dropout rate before the classifier.

    Raises:
        ValueError: for an unknown version, size or `widen_in`, an input of unknown size, or
            arguments without published weights.
    """
    given = {
        "embed_dim": embed_dim, "num_layers": num_layers, "num_heads": num_heads,
        "downscale": downscale, "drop_path": drop_path,
    }  # fmt: skip
    numbers, size = resolve_size(version, size, given)
    widen_in = widen_in or ("mlp" if version == 1 else "attention")
    if widen_in not in ("attention", "mlp"):
        raise ValueError(f"widen_in={widen_in!r}: expected 'attention' or 'mlp'.")
    default = DEFAULT_SHAPES["small" if version == 1 else size]
    clip = clip_input(input_tensor, input_shape, default)
    grid = patch_grid(clip.shape[1:4])
    tables = patch_grid(position_shape) if position_shape else grid
    x = layers.ZeroPadding3D(PADDING, name="patch_embed_pad")(clip)
    x = Conv3D(
        numbers["embed_dim"], KERNEL, STRIDES, kernel_initializer=small_normal(),
        name="patch_embed_projection",
    )(x)  # fmt: skip
    x = SeparateTokenEmbedding(version == 1, tables, name="embedding")(x)
    x, grid = body(x, grid, tables, version, widen_in, numbers)
    x = layer_norm(x, name="norm3")
    if include_top or pooling == "token":
        x = ClassToken(name="class_token")(x)
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout, stddev=0.02)
    elif pooling != "token":
        x = pool_features(PatchMap(*grid, name="patch_map")(x), pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=MViT,
        arguments={"version": version, "size": size, "widen_in": widen_in},
    )


def resolve_size(version, size, given):
    """The numbers of a size, overridden by those given, and the name of the size.

    Raises:
        ValueError: for an unknown version or size.
    """
    sizes = [name for number, name in SIZES if number == version]
    if not sizes:
        raise ValueError(f"version={version!r}: expected 1 or 2.")
    size = size or sizes[0]
    if size not in sizes:
        raise ValueError(f"size={size!r}: expected one of {', '.join(sizes)} of version {version}.")
    overrides = {key: value for key, value in given.items() if value is not None}
    return {**SIZES[version, size], **overrides}, size


def patch_grid(sizes):
    """The number of patches along frames, rows and columns.

    Raises:
        ValueError: for unknown sizes.
    """
    if None in sizes:
        raise ValueError(f"input of {tuple(sizes)}: frames, height and width must be known.")
    return tuple(
        (length + 2 * pad - kernel) // stride + 1
        for length, kernel, stride, pad in zip(sizes, KERNEL, STRIDES, PADDING, strict=True)
    )


def body(x, grid, tables, version, widen_in, numbers):
    """The blocks; returns the tokens and the size of their feature map."""
    width, heads, key_stride = numbers["embed_dim"], numbers["num_heads"], KEY_STRIDE
    drops = np.linspace(0, numbers["drop_path"], numbers["num_layers"]).tolist()
    for index, drop in enumerate(drops):
        halves = index in numbers["downscale"]
        widens = halves if widen_in == "attention" else index + 1 in numbers["downscale"]
        if halves:
            heads, key_stride = 2 * heads, max(key_stride // 2, 1)
        strides = (1, 2, 2) if halves else (1, 1, 1)
        attention = PoolingAttention(
            2 * width if widens and widen_in == "attention" else width,
            heads,
            grid,
            strides if halves or version == 2 else None,
            (1, key_stride, key_stride),
            relative=version == 2,
            table_size=tables,
            name=f"blocks_{index}_attn",
        )
        width = 2 * width if widens else width
        x = block(x, attention, width, drop=drop, name=f"blocks_{index}")
        grid = pooled_size(grid, strides)
        tables = tuple(side // stride for side, stride in zip(tables, strides, strict=True))
    return x, grid


def block(x, attention, width, *, drop, name):
    """Pooling attention and a feed-forward network, each added to its input.

    If the number of channels changes, the shortcut is a projection of the normalized input.
    """
    y = layer_norm(x, name=f"{name}_norm1")
    if attention.width != x.shape[-1]:
        x = Dense(
            attention.width, kernel_initializer=small_normal(), name=f"{name}_proj"
        )(y)  # fmt: skip
    strides = attention.query_strides
    if strides is not None and max(strides) > 1:
        x = PoolTokens(attention.size, strides, name=f"{name}_pool_skip")(x)
    y = drop_branch(attention(y), drop, name=f"{name}_drop_path1")
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = layer_norm(x, name=f"{name}_norm2")
    if width != x.shape[-1]:
        x = Dense(width, kernel_initializer=small_normal(), name=f"{name}_proj")(y)
    y = Dense(
        4 * attention.width, gelu, kernel_initializer=small_normal(), name=f"{name}_mlp_fc1"
    )(y)  # fmt: skip
    y = Dense(width, kernel_initializer=small_normal(), name=f"{name}_mlp_fc2")(y)
    y = drop_branch(y, drop, name=f"{name}_drop_path2")
    return layers.Add(name=f"{name}_add2")([x, y])
