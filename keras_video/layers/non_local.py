"""Non-local blocks (arXiv:1711.07971): every position of a clip attends to every other."""

import keras
from keras import layers, ops

from keras_video.layers.convolution import convolution, max_pool, norm

# With larger initial kernels, a position attends to little more than one other.
PROJECTION_STDDEV = 0.01

NON_LOCAL_MODES = ("embedded_gaussian", "gaussian", "dot_product")


def non_local(
    x,
    *,
    mode="embedded_gaussian",
    use_scale=False,
    sub_sample=True,
    pool_first=False,
    output_bias=False,
    name,
):
    """Adds to every position a weighted sum over all positions of the clip.

    Layers are named `{name}_g_0_conv`, `{name}_theta_conv`, `{name}_phi_0_conv` (`{name}_g_conv`
    and `{name}_phi_conv` if no pooling follows), `{name}_conv_out_conv` and
    `{name}_conv_out_bn`. The last norm's scale is initialized to zero, so a new block is an
    identity.

    Args:
        x: a clip's features `(batch, frames, height, width, channels)`.
        mode: how two positions are compared: "embedded_gaussian" (softmax of dot products after a
            projection to half the channels), "gaussian" (of `x` itself), or "dot_product" (the
            projections' dot product over the number of positions).
        use_scale: whether "embedded_gaussian" divides its products by the square root of the
            channels.
        sub_sample: whether positions are compared with a 1x2x2 max pooling of the clip.
        pool_first: whether that pooling comes before the projections of keys and values, which
            gives different maxima.
        output_bias: whether the last convolution has a bias.

    Returns:
        A tensor of the shape of `x`.

    Raises:
        ValueError: for an unknown mode.
    """
    if mode not in NON_LOCAL_MODES:
        raise ValueError(f"non-local mode {mode!r}: expected one of {', '.join(NON_LOCAL_MODES)}.")
    channels = x.shape[-1]

    def project(positions, part):
        return convolution(
            positions,
            channels // 2,
            1,
            name=f"{name}_{part}_conv",
            use_bias=True,
            kernel_initializer=keras.initializers.RandomNormal(stddev=PROJECTION_STDDEV),
        )

    def sample(keys, part):
        return max_pool(keys, (1, 2, 2), (1, 2, 2), name=f"{name}_{part}_1") if sub_sample else keys

    queries = x if mode == "gaussian" else project(x, "theta")
    if pool_first:
        pooled = sample(x, "x")
        values = project(pooled, "g")
        keys = pooled if mode == "gaussian" else project(pooled, "phi")
    else:
        index = "_0" if sub_sample else ""
        values = sample(project(x, f"g{index}"), "g")
        keys = sample(x if mode == "gaussian" else project(x, f"phi{index}"), "phi")
    scale = use_scale and mode == "embedded_gaussian"
    attended = PositionAttention(mode != "dot_product", scale, name=f"{name}_attention")(
        queries, keys, values
    )
    attended = convolution(
        attended, channels, 1, name=f"{name}_conv_out_conv", use_bias=output_bias
    )
    attended = norm(attended, gamma="zeros", name=f"{name}_conv_out_bn")
    return layers.Add(name=f"{name}_add")([x, attended])


@keras.saving.register_keras_serializable("keras_video")
class PositionAttention(keras.layers.Layer):
    """Sums values over the positions of a clip, weighted by the similarity of queries and keys.

    Call with queries `(batch, frames, height, width, channels)`, keys with the same number of
    channels and values `(batch, frames, height', width', channels')`; keys and values
    have the same positions. Output: `(batch, frames, height, width, channels')`.

    Args:
        softmax: whether a position's weights are a softmax; otherwise they are the dot products
            divided by the number of keys.
        scaled: whether dot products are divided by the square root of the channels before a
            softmax.
    """

    def __init__(self, softmax=True, scaled=False, **kwargs):
        super().__init__(**kwargs)
        self.softmax = softmax
        self.scaled = scaled

    def call(self, queries, keys, values):
        shape = ops.shape(queries)
        queries, keys, values = (flatten_positions(x) for x in (queries, keys, values))
        weights = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))  # (b, queries, keys)
        if self.softmax:
            weights = weights * queries.shape[-1] ** -0.5 if self.scaled else weights
            weights = ops.softmax(weights)
        else:
            weights = weights / ops.cast(ops.shape(keys)[1], weights.dtype)
        attended = ops.matmul(weights, values)  # (b, queries, c')
        return ops.reshape(attended, (-1, *shape[1:-1], values.shape[-1]))

    def compute_output_shape(self, queries_shape, keys_shape, values_shape):
        return (*queries_shape[:-1], values_shape[-1])

    def get_config(self):
        return {**super().get_config(), "softmax": self.softmax, "scaled": self.scaled}


def flatten_positions(x):
    """`(b, t, h, w, c)` as `(b, t*h*w, c)`."""
    _, frames, height, width, channels = ops.shape(x)
    return ops.reshape(x, (-1, frames * height * width, channels))
