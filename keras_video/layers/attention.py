"""Attention among all tokens of a clip, as the plain video transformers have it."""

import keras
from keras import layers, ops

from keras_video.layers.dense import Dense, gelu, small_normal
from keras_video.layers.devices import is_for_another_runtime
from keras_video.layers.position_tables import rotary_table

# Scores of an example (its heads x queries x keys) that TensorFlow is given at a time, for the
# processor's cache to hold them.
SCORES_IN_CACHE = 2**22
MOST_PARTS = 16
# More than these are never held at a time, in however many parts.
SCORES_AT_ONCE = 2**27


def attend(queries, keys, values):
    """Scaled dot-product attention (arXiv:1706.03762), exact whatever the memory.

    PyTorch and JAX choose a fused kernel where they have one. TensorFlow has none: there, queries
    go in parts if the scores of all of them would be large, and a training keeps no scores of
    parts but computes them again (FlashAttention, arXiv:2205.14135, without its fused kernel).

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
    queries, keys, values = (ops.transpose(one, (0, 2, 1, 3)) for one in (queries, keys, values))
    return ops.transpose(attend_by_heads(queries, keys, values), (0, 2, 1, 3))


def attend_by_heads(queries, keys, values):
    """As `attend`, written out, in parts on TensorFlow.

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
        length = -(-count // parts_of(heads * count * keys.shape[2]))
    if length == count:
        return _attend_at_once(queries, keys, values)
    return _attend_in_parts(queries, keys, values, range(length, count, length))


def parts_of(scores):
    """In how many parts the queries of so many scores go."""
    # Runtimes that see the whole of an attention arrange it for the cache better by themselves.
    few = 1 if is_for_another_runtime() else min(MOST_PARTS, -(-scores // SCORES_IN_CACHE))
    return max(1, few, -(-scores // SCORES_AT_ONCE))


def _attend_at_once(queries, keys, values):
    return ops.matmul(ops.cast(_shares(queries, keys), values.dtype), values)


def _shares(queries, keys):
    """The softmax of the products, in float32 or wider."""
    scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3))
    return ops.softmax(ops.cast(scores, keras.backend.result_type(scores.dtype, "float32")))


def _attend_in_parts(queries, keys, values, ends):
    """`_attend_at_once` of the queries up to each of `ends` at a time."""

    def parts(x):
        return ops.split(x, list(ends), axis=2)

    @ops.custom_gradient
    def attention(queries, keys, values):
        found = [_attend_at_once(part, keys, values) for part in parts(queries)]

        def gradient(upstream):
            of_queries, of_keys, of_values = [], 0, 0
            for part, one, up in zip(parts(queries), found, parts(upstream), strict=True):
                changes = _gradients_of_part(part, keys, values, one, up)
                of_queries.append(changes[0])
                of_keys, of_values = of_keys + changes[1], of_values + changes[2]
            return ops.concatenate(of_queries, axis=2), of_keys, of_values

        return ops.concatenate(found, axis=2), gradient

    return attention(queries, keys, values)


def _gradients_of_part(queries, keys, values, found, upstream):
    """Of queries, keys and values, where attention has `found` something for these queries."""
    shares = _shares(queries, keys)
    of_shares = ops.cast(ops.matmul(upstream, ops.swapaxes(values, 2, 3)), shares.dtype)
    # Of the softmax: shares x (own change - mean change by shares), which the outputs know.
    mean = ops.sum(ops.cast(upstream, shares.dtype) * ops.cast(found, shares.dtype), -1, True)
    of_scores = ops.cast(shares * (of_shares - mean), queries.dtype)
    return (
        ops.matmul(of_scores, keys),
        ops.matmul(ops.swapaxes(of_scores, 2, 3), queries),
        ops.matmul(ops.swapaxes(ops.cast(shares, upstream.dtype), 2, 3), upstream),
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
    """Refuses a width that the heads do not divide.

    Raises:
        ValueError: with both.
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
        rotary_grid: `(times, rows, columns)` of the tokens, whose queries and keys are then turned
            by their places (`rotary_table`); `None` for none.
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
        """What attends to what: `(batch, heads, tokens, tokens)`, rows sum to 1."""
        queries, keys, _ = self.project(x)
        return attention_weights(queries, keys)

    def project(self, x):
        """Queries, keys and values, each `(batch, tokens, heads, size)`, turned by their places."""
        queries, keys, values = ops.split(self.qkv(x), 3, axis=-1)
        if not self.key_bias:
            queries = queries + ops.cast(self.q_bias, queries.dtype)
            values = values + ops.cast(self.v_bias, values.dtype)
        queries, keys, values = (split_heads(one, self.heads) for one in (queries, keys, values))
        if self.rotary_grid is not None:
            queries, keys = self._turned(queries), self._turned(keys)
        return queries, keys, values

    def _turned(self, x):
        """Neighboring channels turned as a pair, by the angles of `rotary_table`."""
        _, count, heads, size = x.shape
        cosines, sines = (
            ops.convert_to_tensor(table[:, None], dtype=x.dtype)
            for table in rotary_table(self.rotary_grid, size)
        )
        even, odd = ops.unstack(ops.reshape(x, (-1, count, heads, size // 2, 2)), 2, axis=-1)
        turned = ops.reshape(ops.stack([-odd, even], axis=-1), (-1, count, heads, size))
        return x * cosines + turned * sines

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
    """One learned query attends to all tokens, a feed-forward network follows: `(batch, width)`.

    Keys and values are of normed tokens, the query enters as it is, and nothing projects what it
    finds (the probe of V-JEPA 2, arXiv:2506.09985). Input: tokens `(batch, tokens, width)`.

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
            split_heads(one, self.heads)
            for one in (self.q_proj(query), self.k_proj(tokens), self.v_proj(tokens))
        )
        queries = ops.broadcast_to(queries, (ops.shape(x)[0], *queries.shape[1:]))
        return queries, keys, values

    def weights_of(self, x):
        """What the query attends to: `(batch, heads, 1, tokens)`, rows sum to 1."""
        queries, keys, _ = self.project(x)
        return attention_weights(queries, keys)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "heads": self.heads, "epsilon": self.epsilon}
