"""UniFormer: convolutions in the first stages, self-attention in the last."""

import math

import numpy as np
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.conv3d import Conv3D
from keras_video.layers.convolution import norm as batch_norm
from keras_video.layers.dense import gelu
from keras_video.layers.depthwise import DepthwiseConv3D
from keras_video.layers.drop_path import drop_path as drop_branch
from keras_video.layers.space_time_attention import SelfAttention
from keras_video.layers.swin import dense, layer_norm

__all__ = ["UniFormer", "decode_predictions", "preprocess_input"]

# Section 4.1 of arXiv:2201.04676 and the published configs.
SIZES = {
    "small": {"depths": (3, 4, 8, 3), "drop_path": 0.1},
    "base": {"depths": (5, 8, 20, 7), "drop_path": 0.3},
}
WIDTHS = (64, 128, 320, 512)
HEAD = 64
# Of the patch embedding, over frames, height and width; time is padded by one frame on both sides.
KERNEL, STRIDES = (3, 4, 4), (2, 4, 4)
LOCAL_STAGES = 2


@documented
def UniFormer(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="uniformer",
    *,
    size="small",
    depths=None,
    widths=WIDTHS,
    head_dim=HEAD,
    drop_path=None,
    dropout=0.0,
):
    """UniFormer: convolution and self-attention in a unified block (arXiv:2201.04676).

    The first two stages aggregate a 5 x 5 x 5 neighborhood with a depthwise convolution, the last
    two all positions of the clip with self-attention. Any input size and number of frames works
    with the same weights; the last row or column of an odd size is dropped when a stage halves it.

    Args:
        input_shape: `(frames, height, width, channels)`, all known; `(16, 224, 224, 3)` if not
            given.
        pooling: without the top: `None` (the feature map
            `(batch, frames / 2, height / 32, width / 32, widths[-1])`), "avg" or "max" of it.
        size: "small" or "base", which sets the depths and `drop_path`.
        depths: number of blocks in each of the four stages.
        widths: channels of the stages.
        head_dim: channels of an attention head; it divides the last two widths.
        drop_path: stochastic depth rate of the last block, increasing linearly from 0 at the first.
        dropout: dropout rate before the classifier.

    Raises:
        ValueError: for an unknown size, an input of unknown size, a head that does not divide the
            channels, or arguments without published weights.
    """
    if size not in SIZES:
        raise ValueError(f"size={size!r}: expected one of {', '.join(SIZES)}.")
    depths = SIZES[size]["depths"] if depths is None else depths
    last_drop = SIZES[size]["drop_path"] if drop_path is None else drop_path
    if len(depths) != len(widths) or any(width % head_dim for width in widths[LOCAL_STAGES:]):
        raise ValueError(
            f"depths={depths}, widths={widths}, head_dim={head_dim}: expected a width for every "
            "stage, and those of stages with attention to be multiples of the head."
        )
    clip = clip_input(input_tensor, input_shape, (16, 224, 224, 3))
    if None in clip.shape[1:4]:
        raise ValueError(
            f"input_shape={tuple(clip.shape[1:])}: frames, height and width must be known."
        )
    x = body(clip, depths, widths, head_dim, last_drop)
    x = batch_norm(x, epsilon=1e-5, name="norm")
    if include_top:
        x = pool_features(x, "avg")
        x = classifier(x, classes, classifier_activation, dropout, stddev=0.02)
    else:
        x = pool_features(x, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=UniFormer,
        arguments={"size": size},
    )


def body(x, depths, widths, head_dim, last_drop):
    """The stages, each after a patch embedding."""
    drops = iter(np.linspace(0, last_drop, sum(depths)).tolist())
    x = layers.ZeroPadding3D((KERNEL[0] // 2, 0, 0), name="patch_embed1_pad")(x)
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        kernel, strides = ((1, 2, 2), (1, 2, 2)) if stage else (KERNEL, STRIDES)
        x = Conv3D(width, kernel, strides, name=f"patch_embed{stage + 1}_proj")(x)
        x = layer_norm(x, name=f"patch_embed{stage + 1}_norm")
        block = local_block if stage < LOCAL_STAGES else global_block
        for index in range(depth):
            name = f"blocks{stage + 1}_{index}"
            x = add_positions(x, name)
            x = block(x, head_dim, next(drops), name)
    return x


def add_positions(x, name):
    """Positional encoding by a depthwise convolution, from the padding at the borders."""
    y = DepthwiseConv3D(3, use_bias=True, name=f"{name}_pos_embed")(x)
    return layers.Add(name=f"{name}_add_pos")([x, y])


def local_block(x, head_dim, drop, name):
    """A depthwise convolution between pointwise ones, and a feed-forward network."""
    width = x.shape[-1]
    y = batch_norm(x, epsilon=1e-5, name=f"{name}_norm1")
    y = dense(width, name=f"{name}_pointwise1")(y)
    y = DepthwiseConv3D(5, use_bias=True, name=f"{name}_attn")(y)
    y = drop_branch(dense(width, name=f"{name}_pointwise2")(y), drop, name=f"{name}_drop_path1")
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = batch_norm(x, epsilon=1e-5, name=f"{name}_norm2")
    return add_feed_forward(x, y, drop, name)


def global_block(x, head_dim, drop, name):
    """Self-attention over all positions, and a feed-forward network."""
    *size, width = x.shape[1:]
    y = layer_norm(x, name=f"{name}_norm1")
    y = layers.Reshape((math.prod(size), width), name=f"{name}_tokens")(y)
    y = SelfAttention(width // head_dim, name=f"{name}_attn")(y)
    y = layers.Reshape((*size, width), name=f"{name}_map")(y)
    x = layers.Add(name=f"{name}_add1")([x, drop_branch(y, drop, name=f"{name}_drop_path1")])
    return add_feed_forward(x, layer_norm(x, name=f"{name}_norm2"), drop, name)


def add_feed_forward(x, y, drop, name):
    """Residual feed-forward network on the normalized input `y`, 4 times as wide inside."""
    y = dense(4 * x.shape[-1], activation=gelu, name=f"{name}_mlp_fc1")(y)
    y = dense(x.shape[-1], name=f"{name}_mlp_fc2")(y)
    return layers.Add(name=f"{name}_add2")([x, drop_branch(y, drop, name=f"{name}_drop_path2")])
