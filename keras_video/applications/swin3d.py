"""Swin3D: attention within shifted windows of a clip."""

import numpy as np
from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.conv3d import Conv3D
from keras_video.layers.swin import block, layer_norm, merge
from keras_video.layers.window_attention import MergeFramePatches, WindowAttention3D

__all__ = ["Swin3D", "decode_predictions", "preprocess_input"]

# Section 4.1 of arXiv:2106.13230 and the published configs.
SIZES = {
    "tiny": {
        "embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24), "drop_path": 0.1,
    },
    "small": {
        "embed_dim": 96, "depths": (2, 2, 18, 2), "num_heads": (3, 6, 12, 24), "drop_path": 0.2,
    },
    "base": {
        "embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32), "drop_path": 0.3,
    },
    "large": {
        "embed_dim": 192, "depths": (2, 2, 18, 2), "num_heads": (6, 12, 24, 48), "drop_path": 0.4,
    },
}  # fmt: skip
WINDOW = (8, 7, 7)


@documented
def Swin3D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="swin3d",
    *,
    size="tiny",
    embed_dim=None,
    depths=None,
    num_heads=None,
    patch_size=(2, 4, 4),
    window_size=WINDOW,
    drop_path=None,
    dropout=0.5,
):
    """Video Swin transformer (arXiv:2106.13230).

    A clip is split into 3D patches, which attend to each other within windows; every other block
    shifts the windows. Between stages, height and width are halved. Any input size and number of
    frames works with the same weights: sizes that patches, windows or downsampling do not divide
    are zero-padded at the end.

    Args:
        input_shape: `(frames, height, width, channels)`, all known; `(32, 224, 224, 3)` if not
            given.
        pooling: without the top: `None` (the feature map
            `(batch, frames / 2, height / 32, width / 32, 8 * embed_dim)`, rounded up), "avg" or
            "max" of it.
        size: "tiny", "small", "base" or "large", which sets the next three and `drop_path`.
        embed_dim: channels of the first stage, doubled at every later stage.
        depths: number of blocks per stage.
        num_heads: attention heads per stage; their number divides its channels.
        patch_size: frames, rows and columns of a patch.
        window_size: patches per window along time, height and width.
        drop_path: stochastic depth rate of the last block, increasing linearly from 0 at the first.
        dropout: dropout rate before the classifier.

    Raises:
        ValueError: for an unknown size, an input of unknown size, heads that do not divide the
            channels, or arguments without published weights.
    """
    if size not in SIZES:
        raise ValueError(f"size={size!r}: expected one of {', '.join(SIZES)}.")
    given = {
        "embed_dim": embed_dim, "depths": depths, "num_heads": num_heads, "drop_path": drop_path,
    }  # fmt: skip
    numbers = {**SIZES[size], **{key: value for key, value in given.items() if value is not None}}
    clip = clip_input(input_tensor, input_shape, (32, 224, 224, 3))
    x = patch_embedding(clip, numbers["embed_dim"], patch_size)
    x = body(x, numbers["depths"], numbers["num_heads"], numbers["drop_path"], window_size)
    x = layer_norm(x, name="norm3")
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
        constructor=Swin3D,
        arguments={"size": size},
    )


def patch_embedding(clip, width, patch_size):
    """The patches of a clip, projected and normalized.

    Raises:
        ValueError: for a clip of unknown size.
    """
    sizes = clip.shape[1:4]
    if None in sizes:
        raise ValueError(
            f"input_shape={tuple(clip.shape[1:])}: frames, height and width must be known."
        )
    padding = [(0, -length % side) for length, side in zip(sizes, patch_size, strict=True)]
    x = clip
    if any(after for _, after in padding):
        x = layers.ZeroPadding3D(padding, name="patch_embed_pad")(x)
    x = Conv3D(width, patch_size, patch_size, name="patch_embed_proj")(x)
    return layer_norm(x, name="patch_embed_norm")


def body(x, depths, num_heads, drop_path, window):
    """The stages, with patch merging between them.

    Raises:
        ValueError: if `depths` and `num_heads` differ in length, or heads do not divide the
            channels.
    """
    if len(depths) != len(num_heads):
        raise ValueError(f"depths={depths} and num_heads={num_heads}: expected equal lengths.")
    drops = iter(np.linspace(0, drop_path, sum(depths)).tolist())
    for stage, (count, heads) in enumerate(zip(depths, num_heads, strict=True)):
        for index in range(count):
            name = f"layers_{stage}_blocks_{index}"
            shift = [side // 2 if index % 2 else 0 for side in window]
            attention = WindowAttention3D(heads, window, shift, name=f"{name}_attn")
            x = block(x, attention, drop=next(drops), name=name)
        if stage < len(depths) - 1:
            x = merge(x, MergeFramePatches, name=f"layers_{stage}_downsample")
    return x
