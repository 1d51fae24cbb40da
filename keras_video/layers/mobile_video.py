"""Blocks of mobile video networks (MoViNet, arXiv:2103.11511), over clips or frame by frame.

The base form is over clips `(n, t, h, w, c)` with 3-D convolutions. The stream form is over folded
frames `(n * t, h, w, c)` and uses earlier frames only through the layers of
`keras_video.layers.causal`. The rank of a tensor decides between the two. Padding is
TensorFlow's "same".
"""

import keras
from keras import layers, ops

from keras_video.layers.causal import (
    CausalPadding,
    CumulativeMean,
    FramePositions,
    TemporalDepthwiseConv,
    he_normal_of,
)
from keras_video.layers.depthwise import DepthwiseConv2D, DepthwiseConv3D
from keras_video.layers.drop_path import drop_path
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.squeeze_excite import rounded_width
from keras_video.layers.temporal_kernels import same_padding

EPSILON, MOMENTUM = 1e-3, 0.99
SQUEEZE = 0.25


@keras.saving.register_keras_serializable("keras_video")
def rounded_hard_sigmoid(x):
    """`relu6(x + 3) * 0.16667`: the published stream networks use this constant, not 1/6."""
    return ops.relu6(x + 3.0) * 0.16667


@keras.saving.register_keras_serializable("keras_video")
class Scale(keras.layers.Layer):
    """Multiplies by a learned scalar that is initialized to 0 (ReZero, arXiv:2003.04887)."""

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")

    def call(self, x):
        return x * ops.cast(self.scale, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("keras_video")
class SpatialAveragePooling(keras.layers.Layer):
    """Average pooling over space with "same" padding; padded pixels do not count.

    Input: frames `(n, h, w, c)` or clips `(n, t, h, w, c)`. Output: height
    `ceil(h / strides)` and width `ceil(w / strides)`.

    Args:
        pool_size, strides: integers, for height and width.
    """

    def __init__(self, pool_size, strides, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pool_size
        self.strides = strides

    def call(self, x):
        *outer, height, width, channels = ops.shape(x)
        frames = ops.reshape(x, (-1, height, width, channels))
        if keras.backend.backend() == "torch":  # repeats the edge instead of excluding it
            pooled = self._padded(frames) / self._padded(ops.ones_like(frames[:1, :, :, :1]))
        else:
            pooled = ops.average_pool(
                frames, self.pool_size, self.strides, "same", data_format="channels_last"
            )
        return ops.reshape(pooled, (-1, *outer[1:], *ops.shape(pooled)[1:]))

    def _padded(self, x):
        pads = [same_padding(length, self.pool_size, self.strides) for length in x.shape[1:3]]
        x = ops.pad(x, [(0, 0), *pads, (0, 0)])
        return ops.average_pool(x, self.pool_size, self.strides, data_format="channels_last")

    def compute_output_shape(self, input_shape):
        *outer, height, width, channels = input_shape
        pooled = (None if n is None else -(-n // self.strides) for n in (height, width))
        return (*outer, *pooled, channels)

    def get_config(self):
        config = {"pool_size": self.pool_size, "strides": self.strides}
        return {**super().get_config(), **config}


def pointwise(x, filters, *, name, use_bias=False):
    """A pointwise convolution over frames or clips."""
    layer = layers.Conv2D if len(x.shape) == 4 else layers.Conv3D
    return layer(filters, 1, use_bias=use_bias, kernel_initializer="he_normal", name=name)(x)


def norm(x, activation, *, name):
    """Batch norm and activation, named `{name}` and `{name}_{activation}`."""
    # Keras' own layer: its moving variance is biased, as in the TensorFlow original.
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_act")(x)


def pointwise_bn(x, filters, activation, *, name):
    """`pointwise` named `{name}_conv`, then `norm` named `{name}_bn`."""
    return norm(pointwise(x, filters, name=f"{name}_conv"), activation, name=f"{name}_bn")


def mobile_block(
    x, filters, expansion, kernel_size, stride, *, clip=None, positions=False, rate=0.0, name
):
    """Inverted bottleneck with squeeze-and-excitation; its branch is initialized to 0.

    Args:
        x: clips, or folded frames in the stream form.
        filters: output channels.
        expansion: channels of the depthwise convolution.
        kernel_size: `(frames, height, width)`.
        stride: spatial stride.
        clip: stream form: a tensor whose second axis has the frames of a clip.
        positions: stream form: whether the squeeze gets frame positions.
        rate: probability that the branch is dropped in training.
    """
    if clip is None:
        activation, feature, excite = "silu", clip_feature, clip_excite
    else:
        activation, feature, excite = "hard_silu", stream_feature, stream_excite
    inner = pointwise_bn(x, expansion, activation, name=f"{name}_expansion")
    inner = feature(inner, kernel_size, stride, clip, name=name)
    inner = excite(inner, clip, positions, name=name)
    inner = pointwise_bn(inner, filters, None, name=f"{name}_projection")
    inner = Scale(name=f"{name}_rezero")(inner)
    inner = drop_branch(inner, clip, rate, name=name)
    # The skip connection comes first: Keras walks a graph back along the first inputs recursively,
    # and in the deepest networks the branches would exceed Python's recursion limit.
    return layers.Add(name=name)([skip(x, filters, stride, name=name), inner])


def skip(x, filters, stride, *, name):
    """The skip connection of a block: pooled and projected where the block changes the shape."""
    if stride == 1 and x.shape[-1] == filters:
        return x
    if stride > 1:
        x = SpatialAveragePooling(3, stride, name=f"{name}_skip_pool")(x)
    return pointwise_bn(x, filters, None, name=f"{name}_skip")


def drop_branch(x, clip, rate, *, name):
    """Stochastic depth, for all frames of a clip together."""
    if clip is None or not rate:
        return drop_path(x, rate, name=f"{name}_drop_path")
    x = UnfoldTime(name=f"{name}_drop_unfold")(x, clip)
    x = drop_path(x, rate, name=f"{name}_drop_path")
    return FoldTime(name=f"{name}_drop_fold")(x)


def clip_feature(x, kernel_size, stride, clip, *, name):
    """A depthwise 3-D convolution."""
    fan_in = kernel_size[0] * kernel_size[1] * kernel_size[2]
    x = DepthwiseConv3D(
        kernel_size,
        (1, stride, stride),
        padding="same",
        kernel_initializer=he_normal_of(fan_in),
        name=f"{name}_feature_conv",
    )(x)
    return norm(x, "silu", name=f"{name}_feature_bn")


def stream_feature(x, kernel_size, stride, clip, *, name):
    """A depthwise convolution over space, then a causal one over time."""
    frames, *size = kernel_size
    x = DepthwiseConv2D(
        size,
        stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=he_normal_of(size[0] * size[1]),
        name=f"{name}_feature_conv",
    )(x)
    x = norm(x, "hard_silu", name=f"{name}_feature_bn")
    if frames == 1:
        return x
    x = UnfoldTime(name=f"{name}_unfold")(x, clip)
    x = CausalPadding(frames - 1, name=f"{name}_stream")(x)
    x = TemporalDepthwiseConv(frames, name=f"{name}_feature_conv_temporal")(x)
    x = norm(x, "hard_silu", name=f"{name}_feature_bn_temporal")
    return FoldTime(name=f"{name}_fold")(x)


def clip_excite(x, clip, positions, *, name):
    """Scales channels by a gate computed from the mean over the clip."""
    width = rounded_width(SQUEEZE * x.shape[-1])
    gate = layers.GlobalAveragePooling3D(keepdims=True, name=f"{name}_pool")(x)
    gate = squeeze(gate, width, "silu", name=f"{name}_se_reduce")
    gate = squeeze(gate, x.shape[-1], "sigmoid", name=f"{name}_se_expand")
    return layers.Multiply(name=f"{name}_se")([x, gate])


def stream_excite(x, clip, positions, *, name):
    """Scales a frame's channels by a gate of its mean and the cumulative mean of frames so far."""
    channels = x.shape[-1]
    frame = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_frame_pool")(x)
    frame = UnfoldTime(name=f"{name}_pool_unfold")(frame, clip)
    past = CumulativeMean(name=f"{name}_pool")(frame)
    gate = layers.Concatenate(name=f"{name}_pools")([past, frame])
    if positions:
        gate = FramePositions(name=f"{name}_pos_enc")(gate)
    gate = FoldTime(name=f"{name}_pool_fold")(gate)
    gate = squeeze(
        gate, rounded_width(2 * SQUEEZE * channels), "hard_silu", name=f"{name}_se_reduce"
    )
    gate = squeeze(gate, channels, rounded_hard_sigmoid, name=f"{name}_se_expand")
    return layers.Multiply(name=f"{name}_se")([x, gate])


def squeeze(x, units, activation, *, name):
    """One layer of the gate: pointwise convolution and activation."""
    x = pointwise(x, units, name=name, use_bias=True)
    return layers.Activation(activation, name=f"{name}_act")(x)
