"""Attention among all tokens of a clip, as in plain video transformers."""

import keras
from keras import layers, ops

from keras_video.layers.dense import Dense, gelu, small_normal
from keras_video.layers.devices import is_for_another_runtime
from keras_video.layers.position_tables import rotary_table

# Scores of an example (heads x queries x keys) that TensorFlow computes at a time, so that they fit
# into the processor's cache.
SCORES_IN_CACHE = 2**22
MOST_PARTS = 16
# Upper limit of the scores held at a time, whatever the number of parts.
SCORES_AT_ONCE = 2**27


def attend(queries, keys, values):
    """Scaled dot-product attention (arXiv:1706.03762), exact, with bounded memory.

    PyTorch and JAX choose a fused kernel where they have one. TensorFlow has none: there, queries
    are split into parts if all their scores would be large, and training does not store the scores
    of parts but recomputes them (FlashAttention, arXiv:2205.14135, without its fused kernel).

    Args:
        queries: `(batch, queries, heads, size)`.
        keys, values: `(batch, keys, heads, size)`.

    Returns:
        `(batch, queries, heads, size)`.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.dot_product_attention(queries, keys, values)
    queries = queries * queries.shape[-1] ** -0.5
    # (batch, tokens, heads, size) -> (batch, heads, tokens, size)
    queries, keys, values = (ops.transpose(x, (0, 2, 1, 3)) for x in (queries, keys, values))
    return ops.transpose(attend_by_heads(queries, keys, values), (0, 2, 1, 3))


def attend_by_heads(queries, keys, values):
    """`attend` written out as matrix products, in parts on TensorFlow.

    Args:
        queries: `(batch, heads, queries, size)`, scaled.
        keys: `(batch, heads, keys, size)`.
        values: `(batch, heads, keys, size of values)`.

    Returns:
        `(batch, heads, queries, size of values)`.
    """
    _, heads, count, _ = queries.shape
    length = count
    if keras.backend.backend() == "tensorflow":
        length = -(-count // number_of_parts(heads * count * keys.shape[2]))
    if length == count:
        return _attend_at_once(queries, keys, values)
    return _attend_in_parts(queries, keys, values, range(length, count, length))


def number_of_parts(scores):
    """The number of parts that queries with this number of scores are split into."""
    # Runtimes that receive the whole attention optimize it for the cache better on their own.
    cached_parts = 1 if is_for_another_runtime() else min(MOST_PARTS, -(-scores // SCORES_IN_CACHE))
    return max(1, cached_parts, -(-scores // SCORES_AT_ONCE))


def _attend_at_once(queries, keys, values):
    return ops.matmul(ops.cast(_weights(queries, keys), values.dtype), values)


def _weights(queries, keys):
    """The softmax of the products, in float32 or wider."""
    scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3))
    return ops.softmax(ops.cast(scores, keras.backend.result_type(scores.dtype, "float32")))


def _attend_in_parts(queries, keys, values, ends):
    """`_attend_at_once` for one part of the queries after another, split at `ends`."""

    def parts(x):
        return ops.split(x, list(ends), axis=2)

    @ops.custom_gradient
    def attention(queries, keys, values):
        outputs = [_attend_at_once(part, keys, values) for part in parts(queries)]

        def gradient(upstream):
            query_gradients, key_gradient, value_gradient = [], 0, 0
            for part, output, up in zip(parts(queries), outputs, parts(upstream), strict=True):
                gradients = _gradients_of_part(part, keys, values, output, up)
                query_gradients.append(gradients[0])
                key_gradient = key_gradient + gradients[1]
                value_gradient = value_gradient + gradients[2]
            return ops.concatenate(query_gradients, axis=2), key_gradient, value_gradient

        return ops.concatenate(outputs, axis=2), gradient

    return attention(queries, keys, values)


def _gradients_of_part(queries, keys, values, output, upstream):
    """Gradients of queries, keys and values, given the attention `output` of these queries."""
    weights = _weights(queries, keys)
    weight_gradients = ops.cast(ops.matmul(upstream, ops.swapaxes(values, 2, 3)), weights.dtype)
    # Softmax gradient: weights * (own gradient - weighted mean gradient); the mean needs only the
    # outputs.
    mean = ops.sum(ops.cast(upstream, weights.dtype) * ops.cast(output, weights.dtype), -1, True)
    score_gradients = ops.cast(weights * (weight_gradients - mean), queries.dtype)
    return (
        ops.matmul(score_gradients, keys),
        ops.matmul(ops.swapaxes(score_gradients, 2, 3), queries),
        ops.matmul(ops.swapaxes(ops.cast(weights, upstream.dtype), 2, 3), upstream),
    )


def attention_weights(queries, keys):
    """The softmax of the scaled products, `(batch, heads, queries, keys)`; see `attend`."""
    scale = queries.shape[-1] ** -0.5
    return ops.softmax(ops.einsum("bqhc,bkhc->bhqk", queries * scale, keys))


def split_heads(x, heads):
    """`(batch, tokens, width)` as `(batch, tokens, heads, width / heads)`."""
    return ops.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads))


def join_heads(x):
    """The inverse of `split_heads`."""
    return ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3]))


def check_heads(width, heads):
    """Checks that the heads divide the width.

    Raises:
        ValueError: if they do not.
    """
    if width % heads:
        raise ValueError(f"a width of {width} can not be divided among {heads} heads.")


@keras.saving.register_keras_serializable("keras_video")
class TokenAttention(keras.layers.Layer):
    """Multi-head self-attention among all tokens.

    Input and output: `(batch, tokens, width)`.

    Args:
        heads: number of heads; it divides the width.
        key_bias: whether keys have a bias as queries and values do.
        rotary_grid: `(times, rows, columns)` of the tokens, whose queries and keys are then rotated
            by position (`rotary_table`); `None` for no rotation.
    """

    def __init__(self, heads, key_bias=True, rotary_grid=None, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.key_bias = key_bias
        self.rotary_grid = None if rotary_grid is None else tuple(rotary_grid)
        self.qkv = self.proj = None

    def build(self, input_shape):
        width = input_shape[-1]
        check_heads(width, self.heads)
        common = {"kernel_initializer": small_normal(), "dtype": self.dtype_policy}
        self.qkv = Dense(3 * width, use_bias=self.key_bias, name="qkv", **common)
        self.proj = Dense(width, name="proj", **common)
        self.qkv.build(input_shape)
        if not self.key_bias:
            self.q_bias = self.add_weight((width,), initializer="zeros", name="q_bias")
            self.v_bias = self.add_weight((width,), initializer="zeros", name="v_bias")
        self.proj.build(input_shape)
        super().build(input_shape)

    def call(self, x):
        return self.proj(join_heads(attend(*self.project(x))))

    def weights_of(self, x):
        """Attention weights `(batch, heads, tokens, tokens)`; rows sum to 1."""
        queries, keys, _ = self.project(x)
        return attention_weights(queries, keys)

    def project(self, x):
        """Queries, keys and values, `(batch, tokens, heads, size)`, rotated by position."""
        queries, keys, values = ops.split(self.qkv(x), 3, axis=-1)
        if not self.key_bias:
            queries = queries + ops.cast(self.q_bias, queries.dtype)
            values = values + ops.cast(self.v_bias, values.dtype)
        queries, keys, values = (split_heads(x, self.heads) for x in (queries, keys, values))
        if self.rotary_grid is not None:
            queries, keys = self._rotate(queries), self._rotate(keys)
        return queries, keys, values

    def _rotate(self, x):
        """Pairs of neighboring channels rotated by the angles of `rotary_table`."""
        _, count, heads, size = x.shape
        cosines, sines = (
            ops.convert_to_tensor(table[:, None], dtype=x.dtype)
            for table in rotary_table(self.rotary_grid, size)
        )
        even, odd = ops.unstack(ops.reshape(x, (-1, count, heads, size // 2, 2)), 2, axis=-1)
        rotated = ops.reshape(ops.stack([-odd, even], axis=-1), (-1, count, heads, size))
        return x * cosines + rotated * sines

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "heads": self.heads,
            "key_bias": self.key_bias,
            "rotary_grid": self.rotary_grid,
        }


@keras.saving.register_keras_serializable("keras_video")
class AttentivePooling(keras.layers.Layer):
    """Pooling by a learned query that attends to all tokens, then a feed-forward network.

    Keys and values come from normalized tokens, the query is used unchanged, and the output is not
    projected (the probe of V-JEPA 2, arXiv:2506.09985). Input: tokens `(batch, tokens, width)`.
    Output: `(batch, width)`.

    Args:
        heads: number of heads; it divides the width.
        epsilon: of the norms.
    """

    def __init__(self, heads, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.epsilon = epsilon

    def build(self, input_shape):
        width = input_shape[-1]
        check_heads(width, self.heads)
        self.query_tokens = self.add_weight(
            (1, 1, width), initializer=small_normal(), name="query_tokens"
        )
        self.norm1, self.norm2 = (
            layers.LayerNormalization(epsilon=self.epsilon, dtype=self.dtype_policy, name=name)
            for name in ("norm1", "norm2")
        )
        self.q_proj, self.k_proj, self.v_proj, self.mlp_fc1, self.mlp_fc2 = (
            Dense(units, kernel_initializer=small_normal(), dtype=self.dtype_policy, name=name)
            for name, units in (
                ("q_proj", width),
                ("k_proj", width),
                ("v_proj", width),
                ("mlp_fc1", 4 * width),
                ("mlp_fc2", width),
            )
        )
        for layer in (self.norm1, self.q_proj, self.k_proj, self.v_proj, self.norm2, self.mlp_fc1):
            layer.build((*input_shape[:-1], width))
        self.mlp_fc2.build((*input_shape[:-1], 4 * width))
        super().build(input_shape)

    def call(self, x):
        query = ops.cast(self.query_tokens, self.compute_dtype)
        x = query + join_heads(attend(*self.project(x)))
        hidden = gelu(self.mlp_fc1(self.norm2(x)))
        return ops.squeeze(x + self.mlp_fc2(hidden), 1)

    def project(self, x):
        """The query, and the keys and values of the tokens, each `(batch, tokens, heads, size)`."""
        tokens = self.norm1(x)
        query = ops.cast(self.query_tokens, self.compute_dtype)
        queries, keys, values = (
            split_heads(x, self.heads)
            for x in (self.q_proj(query), self.k_proj(tokens), self.v_proj(tokens))
        )
        queries = ops.broadcast_to(queries, (ops.shape(x)[0], *queries.shape[1:]))
        return queries, keys, values

    def weights_of(self, x):
        """Attention weights of the query, `(batch, heads, 1, tokens)`; rows sum to 1."""
        queries, keys, _ = self.project(x)
        return attention_weights(queries, keys)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "heads": self.heads, "epsilon": self.epsilon}
