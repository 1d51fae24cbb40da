"""TimeSformer: transformers over the patches of a clip."""

import keras
import numpy as np
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.segment_head import require_static_frames
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.space_time_attention import (
    feed_forward,
    layer_norm,
    spatial_attention,
    temporal_attention,
    token_attention,
)
from keras_video.layers.tokens import ClassToken, FrameTokens, JoinFrames, PatchMap, TokenEmbedding

__all__ = ["TimeSformer", "decode_predictions", "preprocess_input"]

ATTENTIONS = ("divided_space_time", "joint_space_time", "space_only")


@documented
def TimeSformer(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="timesformer",
    *,
    attention="divided_space_time",
    patch_size=16,
    embed_dim=768,
    num_heads=12,
    num_layers=12,
    drop_path=0.1,
):
    """Vision transformer over space and time (arXiv:2102.05095).

    Frames are split into square patches; patches and a class token attend to each other, and the
    class token is classified. Published weights expect pixels normalized with a mean and std of
    127.5. Their position tables are interpolated for another image size (bicubic) or number of
    frames (nearest).

    Args:
        input_shape: `(frames, height, width, channels)`; `(8, 224, 224, 3)` if not given. All
            must be known, height and width multiples of the patch size.
        pooling: without the top: `None` (the patch features
            `(batch, frames, height / patch_size, width / patch_size, embed_dim)`), "avg" or "max"
            of these, or "token" (the class token); the last three `(batch, embed_dim)`.
        attention: "divided_space_time" (over time, then over space), "joint_space_time" (over
            both jointly), or "space_only" (each frame separately, class tokens averaged).
        patch_size: side length of a patch in pixels.
        embed_dim: embedding dimension of the tokens.
        num_heads: attention heads; their number divides `embed_dim`.
        num_layers: number of transformer layers.
        drop_path: stochastic depth rate of the last layer, increasing linearly from 0 at the first.

    Raises:
        ValueError: for an unknown attention, an input that is not a whole number of patches, an
            `embed_dim` that the heads do not divide, or arguments without published weights.
    """
    if attention not in ATTENTIONS:
        raise ValueError(f"attention={attention!r}: expected one of {', '.join(ATTENTIONS)}.")
    clip = clip_input(input_tensor, input_shape, (8, 224, 224, 3), minimum_size=patch_size)
    frames, grid = require_static_frames(clip), patch_grid(clip, patch_size)
    x = patch_embedding(clip, patch_size, embed_dim)
    x = TokenEmbedding(times=attention != "space_only", name="embedding")(x)
    divided = attention == "divided_space_time"
    if divided:
        x = FrameTokens(frames, name="frame_tokens")(x)
    for index, drop_rate in enumerate(np.linspace(0, drop_path, num_layers).tolist()):
        x = transformer_layer(x, divided, num_heads, drop_rate, index)
    if divided:
        x = JoinFrames(name="join_frames")(x)
    if include_top or pooling == "token":
        x = ClassToken(frames if attention == "space_only" else 1, name="class_token")(x)
        x = layer_norm(x, name="norm")
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout=0, stddev=0.02)
    elif pooling != "token":
        x = layer_norm(x, name="norm")
        x = pool_features(PatchMap(frames, *grid, name="patch_map")(x), pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=TimeSformer,
        arguments={"attention": attention},
    )


def patch_grid(clip, patch_size):
    """The number of patches in a frame, `(rows, columns)`.

    Raises:
        ValueError: if height or width are unknown, or not multiples of the patch size.
    """
    sizes = clip.shape[2:4]
    if any(size is None or size % patch_size for size in sizes):
        raise ValueError(
            f"input_shape={tuple(clip.shape[1:])}: height and width must be known, and multiples "
            f"of patch_size={patch_size}."
        )
    return tuple(size // patch_size for size in sizes)


def patch_embedding(clip, patch_size, embed_dim):
    """Projected patches of the frames of a clip: `(batch, frames, rows, columns, embed_dim)`."""
    x = FoldTime(name="fold_time")(clip)
    x = layers.Conv2D(
        embed_dim,
        patch_size,
        strides=patch_size,
        kernel_initializer=keras.initializers.VarianceScaling(
            1.0, "fan_in", "untruncated_normal"
        ),
        name="patch_embed_projection",
    )(x)  # fmt: skip
    return UnfoldTime(name="unfold_time")(x, clip)


def transformer_layer(x, divided, heads, drop_rate, index):
    """One pre-norm layer: the attentions, then the feed-forward network."""
    prefix = f"transformer_layers_layers_{index}"
    first, second = (f"{prefix}_attentions_{number}" for number in range(2))
    if divided:
        x = temporal_attention(x, heads, drop_rate=drop_rate, name=first)
        x = spatial_attention(x, heads, drop_rate=drop_rate, name=second)
        norm = f"{prefix}_ffns_0_norm"
    else:
        x = token_attention(x, heads, drop_rate=drop_rate, name=first, norm=f"{prefix}_norms_0")
        norm = f"{prefix}_norms_1"
    return feed_forward(x, drop_rate=drop_rate, name=f"{prefix}_ffns_0", norm=norm)
