"""The block of plain video transformers (VideoMAE, ViViT, V-JEPA 2)."""

import keras
from keras import layers, ops

from keras_video.layers.attention import TokenAttention
from keras_video.layers.dense import Dense, approximate_gelu, gelu, small_normal


@keras.saving.register_keras_serializable("keras_video")
class TransformerBlock(keras.layers.Layer):
    """Self-attention and a feed-forward network, each residual and pre-norm.

    Input and output: tokens `(batch, tokens, width)`.

    Args:
        heads: number of attention heads; it divides the width.
        mlp_dim: hidden width of the feed-forward network.
        key_bias: whether keys have a bias, like queries and values.
        rotary_grid: `(times, rows, columns)` of the tokens for rotary positions, or `None`.
        epsilon: epsilon of the norms.
        approximate_gelu: whether to use the tanh approximation of GELU instead of the exact form.
        layer_scale: initial value of a learned factor per channel of both branches
            (arXiv:2103.17239); `None` for none.
        drop_path: probability that an example skips a branch in training (arXiv:1603.09382).
        rematerialize: whether training stores only the block's input and recomputes the rest for
            the gradient. On CPUs this saves no memory on JAX: XLA's pass "cse_barrier_expander"
            removes the barrier around the recomputation, and the two computations are merged.
            `XLA_FLAGS=--xla_disable_hlo_passes=cse_barrier_expander` keeps it, as on GPUs.
    """

    def __init__(
        self,
        heads,
        mlp_dim,
        key_bias=True,
        rotary_grid=None,
        epsilon=1e-6,
        approximate_gelu=False,
        layer_scale=None,
        drop_path=0.0,
        rematerialize=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.mlp_dim = mlp_dim
        self.key_bias = key_bias
        self.rotary_grid = None if rotary_grid is None else tuple(rotary_grid)
        self.epsilon = epsilon
        self.approximate_gelu = approximate_gelu
        self.layer_scale = layer_scale
        self.drop_path = drop_path
        self.rematerialize = rematerialize

    def build(self, input_shape):
        width = input_shape[-1]
        policy = self.dtype_policy
        self.norm1, self.norm2 = (
            layers.LayerNormalization(epsilon=self.epsilon, dtype=policy, name=name)
            for name in ("norm1", "norm2")
        )
        self.attn = TokenAttention(
            self.heads, self.key_bias, self.rotary_grid, dtype=policy, name="attn"
        )
        activation = approximate_gelu if self.approximate_gelu else gelu
        self.mlp_fc1, self.mlp_fc2 = (
            Dense(units, function, kernel_initializer=small_normal(), dtype=policy, name=name)
            for name, units, function in (
                ("mlp_fc1", self.mlp_dim, activation), ("mlp_fc2", width, None),
            )
        )  # fmt: skip
        self.norm1.build(input_shape)
        self.attn.build(input_shape)
        self._add_scale("gamma_1", width)
        self.norm2.build(input_shape)
        self.mlp_fc1.build(input_shape)
        self.mlp_fc2.build((*input_shape[:-1], self.mlp_dim))
        self._add_scale("gamma_2", width)
        if self.drop_path:
            self.dropout = layers.Dropout(self.drop_path, dtype=policy, name="drop_path")
        super().build(input_shape)

    def _add_scale(self, name, width):
        if self.layer_scale is not None:
            initializer = keras.initializers.Constant(self.layer_scale)
            setattr(self, name, self.add_weight((width,), initializer=initializer, name=name))

    def call(self, x, training=None):
        factors = []
        if self.drop_path and training:
            # Drawn outside the part that is computed twice.
            ones = ops.ones((ops.shape(x)[0], 1, 1), self.compute_dtype)
            factors = [self.dropout(ones, training=True) for _ in range(2)]
        if self.rematerialize and training:
            return keras.remat(self._transform)(x, *factors)
        return self._transform(x, *factors)

    def _transform(self, x, *factors):
        x = x + self._scaled(self.attn(self.norm1(x)), "gamma_1", factors[:1])
        hidden = self.mlp_fc1(self.norm2(x))
        return x + self._scaled(self.mlp_fc2(hidden), "gamma_2", factors[1:])

    def _scaled(self, branch, name, factors):
        if self.layer_scale is not None:
            branch = branch * ops.cast(getattr(self, name), branch.dtype)
        return branch * factors[0] if factors else branch

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        names = ("heads", "mlp_dim", "key_bias", "rotary_grid", "epsilon", "approximate_gelu",
                 "layer_scale", "drop_path", "rematerialize")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
