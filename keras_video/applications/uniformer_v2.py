"""UniFormerV2: an image transformer over frames, and a query that attends to the clip."""

import math
from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.segment_head import require_static_frames
from keras_video.applications.timesformer import patch_grid
from keras_video.layers.clip_query import (
    Blend,
    ClipQuery,
    CrossAttention,
    FrameClassTokens,
    quick_gelu,
)
from keras_video.layers.convolution import norm as batch_norm
from keras_video.layers.dense import Dense, small_normal
from keras_video.layers.depthwise import DepthwiseConv3D
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.space_time_attention import SelfAttention
from keras_video.layers.swin import dense, layer_norm
from keras_video.layers.tokens import ClassToken, PadClassToken, PatchMap, TokenEmbedding

__all__ = ["UniFormerV2", "decode_predictions", "preprocess_input"]

# Reduction of the channels within a local block (`dw_reduction` in the original).
REDUCTION = 1.5
# CLIP's image transformers (arXiv:2103.00020, table 20).
SIZES = {
    "base": {"patch_size": 16, "embed_dim": 768, "num_layers": 12, "num_heads": 12},
    "large": {"patch_size": 14, "embed_dim": 1024, "num_layers": 24, "num_heads": 16},
}


@documented
def UniFormerV2(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="uniformer_v2",
    *,
    size="base",
    patch_size=None,
    embed_dim=None,
    num_layers=None,
    num_heads=None,
    num_decoders=4,
    local_blocks=0,
    mlp_dropout=0.5,
    dropout=0.5,
):
    """CLIP's image transformer adapted to video (UniFormerV2, arXiv:2211.09552).

    The image transformer processes each frame separately. After each of the last layers, a learned
    query attends to the tokens of all frames; it is blended with the mean of the frames' class
    tokens. The published networks for Kinetics and Moments in Time have no local blocks, which is
    the default; the paper uses them for actions that depend on the order of frames
    (Something-Something). No weight depends on the number of frames.

    Args:
        weights: see `keras_video.applications.pretrained.load_pretrained`. The position table is
            interpolated for another image size (bicubic).
        input_shape: `(frames, height, width, channels)`; `(8, 224, 224, 3)` if not given. All
            must be known, height and width multiples of the patch size.
        pooling: without the top: `None` (the features of the clip at a single position,
            `(batch, 1, 1, 1, embed_dim)`), "avg" or "max" of it, `(batch, embed_dim)`.
        size: "base" (B/16) or "large" (L/14), which sets the next four.
        patch_size: side length of a patch in pixels.
        embed_dim: embedding dimension of the tokens.
        num_layers: layers of the image transformer.
        num_heads: attention heads; their number divides `embed_dim`.
        num_decoders: number of last layers after which the query attends.
        local_blocks: temporal convolutions in each layer of the image transformer: 0 for none,
            1 before its attention, 2 also before its feed-forward network.
        mlp_dropout: dropout rate in the query's feed-forward networks.
        dropout: dropout rate before the classifier.

    Raises:
        ValueError: for an unknown size, an input that is not a whole number of patches, more
            decoders than layers, another number of local blocks, an `embed_dim` that the heads do
            not divide, or arguments without published weights.
    """
    if size not in SIZES:
        raise ValueError(f"size={size!r}: expected one of {', '.join(SIZES)}.")
    given = {
        "patch_size": patch_size, "embed_dim": embed_dim, "num_layers": num_layers,
        "num_heads": num_heads,
    }  # fmt: skip
    numbers = {**SIZES[size], **{key: value for key, value in given.items() if value is not None}}
    if not 1 <= num_decoders <= numbers["num_layers"]:
        raise ValueError(f"num_decoders={num_decoders}: expected 1 to {numbers['num_layers']}.")
    if local_blocks not in (0, 1, 2):
        raise ValueError(f"local_blocks={local_blocks!r}: expected 0, 1 or 2.")
    patch = numbers["patch_size"]
    clip = clip_input(input_tensor, input_shape, (8, 224, 224, 3), minimum_size=patch)
    grid = (require_static_frames(clip), *patch_grid(clip, patch))
    x = frame_tokens(clip, patch, numbers["embed_dim"])
    block = partial(image_block, grid=grid, heads=numbers["num_heads"], local=local_blocks)
    query = partial(decoder, heads=numbers["num_heads"], dropout=mlp_dropout)
    x = body(x, grid, block, query, numbers["num_layers"], num_decoders)
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout, stddev=0.02)
    else:
        x = pool_features(layers.Reshape((1, 1, 1, x.shape[-1]), name="place")(x), pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=UniFormerV2,
        arguments={"size": size},
    )


def frame_tokens(clip, patch_size, width):
    """The class token and patches of each frame, with position embeddings, normalized."""
    x = FoldTime(name="fold_time")(clip)
    x = layers.Conv2D(
        width, patch_size, patch_size, use_bias=False, kernel_initializer=small_normal(),
        name="patch_embed",
    )(x)  # fmt: skip
    x = UnfoldTime(name="unfold_time")(x, clip)
    x = TokenEmbedding(times=False, name="embedding")(x)
    return layer_norm(x, name="ln_pre")


def body(x, grid, block, decode, num_layers, num_decoders):
    """The features of the clip, `(batch, width)`.

    Args:
        block: a layer of the image transformer: `image_block` as a function of `(x, name=)`.
        decode: `decoder` as a function of `(query, tokens, name=)`.
    """
    query = None
    for index in range(num_layers):
        x = block(x, name=f"transformer_resblocks_{index}")
        number = index - (num_layers - num_decoders)
        if number >= 0:
            tokens = clip_tokens(x, grid, number)
            query = ClipQuery(name="transformer_query")(tokens) if query is None else query
            query = decode(query, tokens, name=f"transformer_dec_{number}")
    mean = ClassToken(grid[0], name="class_token")(x)
    return layer_norm(Blend(name="transformer_blend")([query, mean]), name="transformer_norm")


def image_block(x, grid, heads, local, name):
    """Attention within a frame and a feed-forward network, each added to its input."""
    if local:
        x = add_along_time(x, grid, f"{name}_lmhra1")
    y = SelfAttention(heads, name=f"{name}_attn")(layer_norm(x, name=f"{name}_ln_1"))
    x = layers.Add(name=f"{name}_add1")([x, y])
    if local == 2:
        x = add_along_time(x, grid, f"{name}_lmhra2")
    return add_feed_forward(x, 0, name)


def add_along_time(x, grid, name):
    """Residual temporal convolution over neighboring frames, initially zero."""
    width = x.shape[-1]
    inner = int(width / REDUCTION)
    y = PatchMap(*grid, name=f"{name}_map")(x)
    y = batch_norm(y, name=f"{name}_pos_embed_0")
    y = layers.Conv3D(inner, 1, name=f"{name}_pos_embed_1")(y)
    y = DepthwiseConv3D((3, 1, 1), use_bias=True, name=f"{name}_pos_embed_2")(y)
    y = layers.Conv3D(width, 1, kernel_initializer="zeros", name=f"{name}_pos_embed_3")(y)
    y = FoldTime(name=f"{name}_fold")(y)
    y = PadClassToken(name=f"{name}_pad")(y)  # (batch * frames, 1 + patches, width)
    return layers.Add(name=f"{name}_add")([x, y])


def add_feed_forward(x, dropout, name, last="small"):
    """Residual feed-forward network; `last` is the initializer of its second dense layer."""
    y = layer_norm(x, name=f"{name}_ln_2")
    y = dense(4 * x.shape[-1], name=f"{name}_mlp_c_fc")(y)
    y = layers.Activation(quick_gelu, name=f"{name}_mlp_gelu")(y)
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_mlp_dropout")(y)
    initializer = small_normal() if last == "small" else last
    y = Dense(x.shape[-1], kernel_initializer=initializer, name=f"{name}_mlp_c_proj")(y)
    return layers.Add(name=f"{name}_add2")([x, y])


def clip_tokens(x, grid, number):
    """All tokens of a clip, with positional encoding of its patches by a depthwise convolution."""
    name, width = f"transformer_dpe_{number}", x.shape[-1]
    patches = PatchMap(*grid, name=f"{name}_map")(x)
    y = DepthwiseConv3D(3, use_bias=True, name=name)(patches)
    patches = layers.Add(name=f"{name}_add")([patches, y])
    patches = layers.Reshape((math.prod(grid), width), name=f"{name}_tokens")(patches)
    class_tokens = FrameClassTokens(grid[0], name=f"{name}_class_tokens")(x)
    return layers.Concatenate(axis=1, name=f"{name}_all")([class_tokens, patches])


def decoder(query, tokens, heads, dropout, name):
    """Updates the query by cross-attention to all tokens; the MLP's update is initially zero."""
    y = layer_norm(query, name=f"{name}_ln_1")
    tokens = layer_norm(tokens, name=f"{name}_ln_3")
    y = CrossAttention(heads, name=f"{name}_attn")([y, tokens])
    query = layers.Add(name=f"{name}_add1")([query, y])
    return add_feed_forward(query, dropout, name, last="zeros")
