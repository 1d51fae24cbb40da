"""Windowed attention over a sequence, and a transformer block that uses it."""

import keras
from keras import layers, ops

from keras_video.layers.dense import Dense, gelu

_EPSILON = 1e-5
# Added to the logits of masked positions; finite in half precision.
_MASKED = -1e4


@keras.saving.register_keras_serializable("keras_video")
class SequenceMask(keras.layers.Layer):
    """Mask of the valid positions of a padded batch of sequences.

    Input: `(batch, length, channels)`, padded with rows of zeros at the end. Output: `(batch,
    length, 1)` of the input's dtype, 1 up to the last row that is not all zeros, 0 after it.
    """

    def call(self, x):
        present = ops.cast(ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True), "int32")
        following = ops.flip(ops.cumsum(ops.flip(present, axis=1), axis=1), axis=1)
        return ops.cast(following > 0, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable("keras_video")
class LocalTransformerBlock(keras.layers.Layer):
    """Self-attention within a window and a feed-forward network (arXiv:2202.07925).

    Queries, keys and values pass through depthwise convolutions of kernel size 3 before they are
    projected; with strides of 2 these halve the sequence, and the shortcut is max pooled over three
    positions.

    Inputs: a sequence `(batch, length, width)` and the mask of the output's positions, `(batch,
    length / strides, 1)`. Output: `(batch, length / strides, width)`, 0 where the mask is 0.

    Args:
        heads: attention heads; they divide the width.
        window: number of positions that each position attends to, centered on itself, odd; `None`
            for all.
        strides: 1, or 2 to halve the sequence, whose length must then be even.
        dropout: rate after the projection and within the feed-forward network.
        drop_path: probability that an example skips a branch in training.
        layer_scale: initial value of a learned factor per channel of both branches; `None` for no
            factor.

    Raises:
        ValueError: for a window that is even or below 3, or other strides.
    """

    def __init__(
        self,
        heads,
        window=None,
        strides=1,
        dropout=0.0,
        drop_path=0.0,
        layer_scale=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if window is not None and (window < 3 or window % 2 == 0):
            raise ValueError(f"window={window!r}: expected an odd number from 3 on, or None")
        if strides not in (1, 2):
            raise ValueError(f"strides={strides!r}: expected 1 or 2")
        self.heads, self.window, self.strides = heads, window, strides
        self.dropout, self.drop_path, self.layer_scale = dropout, drop_path, layer_scale

    def build(self, sequence_shape, mask_shape=None):
        width, policy = sequence_shape[-1], self.dtype_policy
        if width % self.heads:
            raise ValueError(f"heads={self.heads}: expected a divisor of the width {width}")
        shape = (*sequence_shape[:-1], width)
        for name in ("ln1", "ln2", "query_norm", "key_norm", "value_norm"):
            self._add_layer(name, layers.LayerNormalization(epsilon=_EPSILON), shape)
        for name in ("query", "key", "value"):
            convolution = layers.DepthwiseConv1D(
                3, self.strides, use_bias=False, data_format="channels_last"
            )
            self._add_layer(f"{name}_conv", convolution, shape)
            self._add_layer(name, Dense(width), shape)
        self._add_layer("proj", Dense(width), shape)
        self._add_layer("mlp_0", Dense(4 * width, gelu), shape)
        self._add_layer("mlp_3", Dense(width), (*shape[:-1], 4 * width))
        self._drop = layers.Dropout(self.dropout, dtype=policy)
        self._drop_path = layers.Dropout(self.drop_path, noise_shape=(None, 1, 1), dtype=policy)
        if self.layer_scale is not None:
            initializer = keras.initializers.Constant(self.layer_scale)
            self.scale_attn, self.scale_mlp = (
                self.add_weight((width,), initializer=initializer, name=name)
                for name in ("scale_attn", "scale_mlp")
            )
        super().build(sequence_shape)

    def _add_layer(self, name, layer, shape):
        config = {**layer.get_config(), "name": name, "dtype": self.dtype_policy}
        part = type(layer).from_config(config)
        part.build(shape)
        setattr(self, name, part)

    def call(self, sequence, mask, training=None):
        branch = self._attention(self.ln1(sequence), mask, training)
        out = self._shortcut(sequence) * mask + self._branch(branch, "scale_attn", training)
        hidden = self._drop(self.mlp_0(self.ln2(out)), training=training)
        hidden = self._drop(self.mlp_3(hidden), training=training) * mask
        return out + self._branch(hidden, "scale_mlp", training)

    def _branch(self, x, name, training):
        if self.layer_scale is not None:
            x = x * ops.cast(getattr(self, name), x.dtype)
        return self._drop_path(x, training=training) if self.drop_path else x

    def _shortcut(self, x):
        if self.strides == 1:
            return x
        # Max pooling over every second position and its neighbors; the first has only one neighbor.
        padded = ops.concatenate([x[:, :1], x], axis=1)
        return ops.max_pool(padded, 3, 2, data_format="channels_last")

    def _attention(self, x, mask, training):
        x = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
        query, key, value = (
            getattr(self, name)(
                getattr(self, f"{name}_norm")(getattr(self, f"{name}_conv")(x) * mask)
            )
            for name in ("query", "key", "value")
        )
        attend = self._attend_globally if self.window is None else self._attend_in_windows
        return self._drop(self.proj(attend(query, key, value, mask)), training=training) * mask

    def _split(self, x, *shape):
        """`(batch, length, width)` as `(batch, *shape, heads, width / heads)`."""
        return ops.reshape(x, (ops.shape(x)[0], *shape, self.heads, x.shape[-1] // self.heads))

    def _attend_globally(self, query, key, value, mask):
        query, key, value = (self._split(x, -1) for x in (query, key, value))
        logits = ops.einsum("bqhd,bkhd->bhqk", query * query.shape[-1] ** -0.5, key)
        bias = (1 - ops.transpose(mask, (0, 2, 1)))[:, None] * _MASKED
        weights = ops.softmax(ops.cast(logits + bias, "float32"), axis=-1)
        outputs = ops.einsum("bhqk,bkhd->bqhd", ops.cast(weights, value.dtype), value)
        return ops.reshape(outputs, (ops.shape(outputs)[0], -1, self.heads * value.shape[-1]))

    def _attend_in_windows(self, query, key, value, mask):
        """Blocks of half a window attend to themselves and to their neighboring blocks."""
        half, length = self.window // 2, ops.shape(query)[1]
        total = (length + half) // half * half

        def blocks(x):
            x = ops.pad(x, ((0, 0), (0, half), (0, 0)))[:, :total]
            return ops.reshape(x, (ops.shape(x)[0], -1, half, x.shape[-1]))

        def with_neighbors(x):
            x = ops.pad(blocks(x), ((0, 0), (1, 1), (0, 0), (0, 0)))
            return ops.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=2)

        def heads(x):
            return self._split(x, -1, x.shape[2])

        query = heads(blocks(query))
        key, value = heads(with_neighbors(key)), heads(with_neighbors(value))
        logits = ops.einsum("bnqhd,bnkhd->bnhqk", query * query.shape[-1] ** -0.5, key)
        offsets = ops.arange(half)[:, None] + half - ops.arange(3 * half)[None]
        near = ops.cast(ops.abs(offsets) <= half, logits.dtype)
        valid = ops.transpose(with_neighbors(mask), (0, 1, 3, 2))[:, :, None]
        weights = ops.softmax(ops.cast(logits + (1 - near * valid) * _MASKED, "float32"), axis=-1)
        outputs = ops.einsum("bnhqk,bnkhd->bnqhd", ops.cast(weights, value.dtype), value)
        width = self.heads * value.shape[-1]
        return ops.reshape(outputs, (ops.shape(outputs)[0], -1, width))[:, :length]

    def compute_output_shape(self, sequence_shape, mask_shape=None):
        batch, length, width = sequence_shape
        return (batch, None if length is None else length // self.strides, width)

    def get_config(self):
        names = ("heads", "window", "strides", "dropout", "drop_path", "layer_scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("keras_video")
class LearnedScale(keras.layers.Layer):
    """Multiplies its input by a learned scalar, initially 1."""

    def build(self, input_shape):
        self.scale = self.add_weight((), initializer="ones", name="scale")
        super().build(input_shape)

    def call(self, x):
        return x * ops.cast(self.scale, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
