"""Swin transformer (arXiv:2103.14030) over frames, with timm's layer names."""

from keras import layers

from keras_video.layers.dense import Dense, gelu, small_normal
from keras_video.layers.drop_path import drop_path
from keras_video.layers.window_attention import MergePatches, WindowAttention

# Swin-B, arXiv:2103.14030, section 3.3.
WIDTH = 128
BLOCKS = (2, 2, 18, 2)
HEADS = (4, 8, 16, 32)
PATCH = 4
WINDOW = 7
LAST_DROP_PATH = 0.1


def swin_base(x):
    """The backbone of a Swin-B with windows of 7 x 7 patches of 4 x 4 pixels.

    Args:
        x: frames `(n, h, w, c)`, height and width known. Where windows do not divide them evenly,
            features are padded with zeros.

    Returns:
        The outputs of the four stages, the last after its norm, `(n, h/32, w/32, 1024)`.

    Raises:
        ValueError: if height or width is unknown or not a multiple of 32.
    """
    height, width = x.shape[1:3]
    if height is None or width is None or height % 32 or width % 32:
        raise ValueError(f"frames of {height} x {width}: swin_base needs known multiples of 32.")
    x = layers.Conv2D(WIDTH, PATCH, PATCH, name="patch_embed_proj")(x)
    x = layer_norm(x, name="patch_embed_norm")
    outputs, depth = [], 0
    for stage, count in enumerate(BLOCKS):
        for index in range(count):
            name, shift = f"layers_{stage}_blocks_{index}", WINDOW // 2 if index % 2 else 0
            attention = WindowAttention(HEADS[stage], WINDOW, shift, name=f"{name}_attn")
            drop = LAST_DROP_PATH * depth / (sum(BLOCKS) - 1)
            x = block(x, attention, drop=drop, name=name)
            depth += 1
        outputs.append(x)
        if stage < len(BLOCKS) - 1:
            x = merge(x, name=f"layers_{stage}_downsample")
    outputs[-1] = layer_norm(x, name="norm")
    return outputs


def layer_norm(x, *, name):
    """Layer norm with PyTorch's epsilon."""
    return layers.LayerNormalization(epsilon=1e-5, name=name)(x)


def dense(width, **options):
    """A dense layer with the published initialization."""
    return Dense(width, kernel_initializer=small_normal(), **options)


def block(x, attention, *, drop, name):
    """Attention within windows and a feed-forward network, each added to its input.

    Args:
        attention: the layer that attends.
        drop: probability that an example skips a branch in training.
        name: prefix of the layer names.
    """
    y = attention(layer_norm(x, name=f"{name}_norm1"))
    x = layers.Add(name=f"{name}_add1")([x, drop_path(y, drop, name=f"{name}_drop_path1")])
    y = layer_norm(x, name=f"{name}_norm2")
    y = dense(4 * x.shape[-1], activation=gelu, name=f"{name}_mlp_fc1")(y)
    y = dense(x.shape[-1], name=f"{name}_mlp_fc2")(y)
    return layers.Add(name=f"{name}_add2")([x, drop_path(y, drop, name=f"{name}_drop_path2")])


def merge(x, layer=MergePatches, *, name):
    """Halves the size and doubles the channels; `layer` concatenates the neighbors."""
    channels = x.shape[-1]
    x = layer(name=f"{name}_merge")(x)
    x = layer_norm(x, name=f"{name}_norm")
    return dense(2 * channels, use_bias=False, name=f"{name}_reduction")(x)
