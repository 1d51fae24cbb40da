"""A learned query that attends to a clip's tokens layer by layer (UniFormerV2, arXiv:2211.09552).

Tokens of frames are `(batch * frames, 1 + patches, width)`, each frame with a class token.
"""

import keras
from keras import ops

from keras_video.layers.dense import Dense, small_normal
from keras_video.layers.tokens import split_class_token


@keras.saving.register_keras_serializable("keras_video")
def quick_gelu(x):
    """`x * sigmoid(1.702 x)`, the activation of CLIP (arXiv:2103.00020)."""
    return x * ops.sigmoid(1.702 * x)


@keras.saving.register_keras_serializable("keras_video")
class ClipQuery(keras.layers.Layer):
    """The learned query, the same for every clip of a batch.

    Input: tokens `(batch, tokens, width)`, of which only the batch size is used. Output:
    `(batch, 1, width)`.
    """

    def build(self, input_shape):
        shape = (1, 1, input_shape[-1])
        self.temporal_cls_token = self.add_weight(
            shape, initializer="zeros", name="temporal_cls_token"
        )
        super().build(input_shape)

    def call(self, x):
        shape = (ops.shape(x)[0], 1, x.shape[-1])
        return ops.broadcast_to(ops.convert_to_tensor(self.temporal_cls_token), shape)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, input_shape[-1])


@keras.saving.register_keras_serializable("keras_video")
class CrossAttention(keras.layers.Layer):
    """Multi-head attention of queries to tokens (arXiv:1706.03762).

    Inputs: queries `(batch, n, width)` and tokens `(batch, m, width)`. Output: shaped as the
    queries. The output projection is initialized to zero.

    Args:
        heads: number of heads; it divides the width.

    Raises:
        ValueError: for a width that the heads do not divide.
    """

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape):
        width = input_shape[0][-1]
        if width % self.heads:
            raise ValueError(f"a width of {width} can not be divided among {self.heads} heads.")
        initializers = {name: small_normal() for name in ("query", "key", "value")}
        for name, initializer in {**initializers, "out_proj": "zeros"}.items():
            layer = Dense(width, kernel_initializer=initializer, dtype=self.dtype_policy, name=name)
            layer.build((None, None, width))
            setattr(self, name, layer)
        super().build(input_shape)

    def call(self, inputs):
        queries, tokens = inputs
        width = queries.shape[-1]
        query = self.split(self.query(queries)) * (width // self.heads) ** -0.5
        key, value = self.split(self.key(tokens)), self.split(self.value(tokens))
        weights = ops.softmax(ops.matmul(query, ops.swapaxes(key, -1, -2)))
        output = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return self.out_proj(ops.reshape(output, (-1, queries.shape[1], width)))

    def split(self, x):
        """`(batch, length, width)` as `(batch, heads, length, width / heads)`."""
        x = ops.reshape(x, (-1, x.shape[1], self.heads, x.shape[-1] // self.heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("keras_video")
class FrameClassTokens(keras.layers.Layer):
    """Extracts the class tokens of a clip's frames, `(batch, frames, width)`, from all tokens.

    Args:
        frames: frames of a clip.
    """

    def __init__(self, frames, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, x):
        class_tokens, _ = split_class_token(x)
        return ops.reshape(class_tokens, (-1, self.frames, x.shape[-1]))

    def compute_output_shape(self, input_shape):
        batch, _, width = input_shape
        return (None if batch is None else batch // self.frames, self.frames, width)

    def get_config(self):
        return {**super().get_config(), "frames": self.frames}


@keras.saving.register_keras_serializable("keras_video")
class Blend(keras.layers.Layer):
    """Weighted mean of two vectors with a learned weight per channel, initially one half.

    Inputs: `(batch, 1, width)` and `(batch, width)`. Output: `(batch, width)`; the weight of the
    second input is the sigmoid of `balance`.
    """

    def build(self, input_shape):
        self.balance = self.add_weight((input_shape[1][-1],), "zeros", name="balance")
        super().build(input_shape)

    def call(self, inputs):
        query, mean = inputs
        weight = ops.sigmoid(ops.convert_to_tensor(self.balance))
        return (1 - weight) * ops.squeeze(query, 1) + weight * mean

    def compute_output_shape(self, input_shape):
        return input_shape[1]
