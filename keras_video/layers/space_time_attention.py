"""Attention over a clip's tokens (TimeSformer, arXiv:2102.05095).

Tokens are `(batch, 1 + frames * patches, width)`: the class token, then the patches of the first
frame, of the second, and so on. Where attention alternates between time and space they are
`(batch, frames, 1 + patches, width)`: every frame has the same class token.
"""

import keras
from keras import layers, ops

from keras_video.layers.attention import attend_by_heads
from keras_video.layers.dense import Dense, gelu, small_normal
from keras_video.layers.drop_path import drop_path
from keras_video.layers.tokens import PatchesOnly, ShareClassToken

EPSILON = 1e-6
# Least number of positions at which a fused kernel is faster than separate products and softmax.
LEAST_FUSED = 64


def layer_norm(x, *, name):
    """Layer norm (arXiv:1607.06450) over the last axis."""
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def token_attention(x, heads, *, drop_rate, name, norm):
    """Every token attends to every token of its example; residual.

    Args:
        x: tokens `(batch, tokens, width)`.
        heads: number of attention heads.
        drop_rate: probability that an example skips this branch in training.
        name: prefix of the layer names.
        norm: name of the layer norm before the attention.
    """
    residual = layer_norm(x, name=norm)
    residual = SelfAttention(heads, name=f"{name}_attn")(residual)
    residual = drop_path(residual, drop_rate, name=f"{name}_drop_path")
    return layers.Add(name=f"{name}_add")([x, residual])


def temporal_attention(x, heads, *, drop_rate, name):
    """Every patch attends to the patches at its position in all frames; residual.

    The class token is unchanged. The last projection is initialized to zero, so a new layer is an
    identity.

    Args:
        x: tokens of every frame `(batch, frames, 1 + patches, width)`.
        heads, drop_rate, name: see `token_attention`.
    """
    residual = layer_norm(x, name=f"{name}_norm")
    residual = SelfAttention(heads, axis=1, name=f"{name}_attn")(residual)
    residual = drop_path(residual, drop_rate, axes=(0, 2), name=f"{name}_drop_path")
    residual = Dense(
        x.shape[-1], kernel_initializer="zeros", name=f"{name}_temporal_fc"
    )(residual)  # fmt: skip
    residual = PatchesOnly(name=f"{name}_patches")(residual)
    return layers.Add(name=f"{name}_add")([x, residual])


def spatial_attention(x, heads, *, drop_rate, name):
    """Every patch attends to its frame and the class token; residual.

    The class token attends to each frame separately, and the outputs are averaged.

    Args:
        x: tokens of every frame `(batch, frames, 1 + patches, width)`.
        heads, drop_rate, name: see `token_attention`.
    """
    residual = layer_norm(x, name=f"{name}_norm")
    residual = SelfAttention(heads, axis=2, name=f"{name}_attn")(residual)
    residual = drop_path(residual, drop_rate, axes=(0, 1), name=f"{name}_drop_path")
    residual = ShareClassToken(name=f"{name}_share")(residual)
    return layers.Add(name=f"{name}_add")([x, residual])


def feed_forward(x, *, drop_rate, name, norm):
    """Two dense layers, the inner four times as wide, with exact GELU in between; residual."""
    width = x.shape[-1]
    residual = layer_norm(x, name=norm)
    residual = Dense(
        4 * width, gelu, kernel_initializer=small_normal(), name=f"{name}_layers_0_0"
    )(residual)  # fmt: skip
    residual = Dense(
        width, kernel_initializer=small_normal(), name=f"{name}_layers_1"
    )(residual)  # fmt: skip
    residual = drop_path(residual, drop_rate, name=f"{name}_drop_path")
    return layers.Add(name=f"{name}_add")([x, residual])


@keras.saving.register_keras_serializable("keras_video")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention (arXiv:1706.03762) along one axis.

    Input and output: `(batch, ..., width)`, of rank 3 or 4. Positions of the other axes are
    independent of each other.

    Args:
        heads: number of heads; it divides the width.
        axis: the axis whose positions attend to each other.
    """

    def __init__(self, heads, axis=1, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.axis = axis

    def build(self, input_shape):
        width = input_shape[-1]
        if width % self.heads:
            raise ValueError(f"a width of {width} can not be divided among {self.heads} heads.")
        self.qkv = Dense(3 * width, dtype=self.dtype_policy, name="qkv")
        self.out_proj = Dense(
            width, kernel_initializer=small_normal(), dtype=self.dtype_policy, name="out_proj"
        )
        self.qkv.build(input_shape)
        self.out_proj.build(input_shape)
        super().build(input_shape)

    def call(self, x):
        _, *middle, width = ops.shape(x)
        rank = len(x.shape)
        queries, keys, values = self.project(x)
        attended = self.attended(queries, keys, values)
        back = list(range(1, rank - 2))
        back.insert(self.axis - 1, rank - 1)
        attended = ops.transpose(attended, (0, *back, rank - 2, rank))
        return self.out_proj(ops.reshape(attended, (-1, *middle, width)))

    def attended(self, queries, keys, values):
        """The values that each query attends to, in the shape of the queries.

        PyTorch and JAX have fused kernels for it, which pay off for many positions.
        """
        *others, heads, length, size = queries.shape
        on_tensorflow = keras.backend.backend() == "tensorflow"
        if on_tensorflow and len(others) == 1:
            return attend_by_heads(queries * size**-0.5, keys, values)
        if on_tensorflow or length < LEAST_FUSED:
            return ops.matmul(self.compare(queries, keys), values)
        swapped = (
            ops.swapaxes(ops.reshape(x, (-1, heads, length, size)), 1, 2)
            for x in (queries, keys, values)
        )
        fused = ops.swapaxes(ops.dot_product_attention(*swapped), 1, 2)
        return ops.reshape(fused, (-1, *others[1:], heads, length, size))

    def weights_of(self, x):
        """Attention weights `(batch, other axes, heads, length, length)`; rows sum to 1."""
        queries, keys, _ = self.project(x)
        return self.compare(queries, keys)

    def project(self, x):
        """Queries, keys and values, each `(batch, other axes, heads, length, size)`."""
        _, *middle, width = ops.shape(x)
        rank = len(x.shape)
        others = [axis for axis in range(1, rank - 1) if axis != self.axis]
        qkv = ops.reshape(self.qkv(x), (-1, *middle, 3, self.heads, width // self.heads))
        # All three together: (3, batch, other axes, heads, attending axis, size).
        qkv = ops.transpose(qkv, (rank - 1, 0, *others, rank, self.axis, rank + 1))
        return ops.unstack(qkv, 3, axis=0)

    def compare(self, queries, keys):
        """The softmax of the scaled products of queries and keys."""
        scale = queries.shape[-1] ** -0.5
        return ops.softmax(ops.matmul(queries * scale, ops.swapaxes(keys, -1, -2)))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "heads": self.heads, "axis": self.axis}
