"""Costs of layers, from the shapes of their inputs and outputs."""

import math
from dataclasses import dataclass, fields

from keras import layers

from keras_video.layers.attention import AttentivePooling
from keras_video.layers.causal import FramePositions, TemporalDepthwiseConv
from keras_video.layers.clip_query import Blend, ClipQuery, CrossAttention
from keras_video.layers.convolution import MaxPooling, StridedPointwiseConv3D
from keras_video.layers.dense import Dense
from keras_video.layers.depthwise import DepthwiseConv3D
from keras_video.layers.grouped import GroupedTemporalConv
from keras_video.layers.mobile_video import Scale, SpatialAveragePooling
from keras_video.layers.non_local import PositionAttention
from keras_video.layers.pooling_attention import PoolingAttention
from keras_video.layers.pyramid import AuxiliaryClassifier
from keras_video.layers.separate_positions import SeparateTokenEmbedding
from keras_video.layers.space_time_attention import SelfAttention
from keras_video.layers.temporal_adaptive import TemporalAdaptiveModule
from keras_video.layers.temporal_interlace import OFFSETS, TemporalInterlace
from keras_video.layers.temporal_relation import TUPLES, MultiScaleRelation, TemporalRelation
from keras_video.layers.tokens import TokenEmbedding
from keras_video.layers.transformer_block import TransformerBlock
from keras_video.layers.tubelets import LearnedPositions
from keras_video.layers.window_attention import WindowAttention, WindowAttention3D
from keras_video.layers.winograd import OUTPUTS, WinogradConv


@dataclass(frozen=True)
class Cost:
    """Operations of one forward pass, a multiply-add counted as one.

    Attributes:
        convolution: multiply-adds of convolutions, and additions of their biases.
        dense: multiply-adds of dense layers.
        product: multiply-adds of products of two tensors: attention, clip-dependent kernels.
        norm: two operations for every element of a batch or layer norm.
        relu: one operation for every element of a ReLU.
        pooling: one operation for every element that is pooled.
        activations: not operations, but the output elements of convolutions and dense layers.
    """

    convolution: int = 0
    dense: int = 0
    product: int = 0
    norm: int = 0
    relu: int = 0
    pooling: int = 0
    activations: int = 0

    def __add__(self, other):
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def multiply_adds(self):
        """All multiply-adds: the FLOPs reported in papers."""
        return self.convolution + self.dense + self.product

    @property
    def published(self):
        """Counted like the zoo's figures: with norms, ReLUs and pooling, but without products."""
        return self.convolution + self.dense + self.norm + self.relu + self.pooling


def convolution(layer, inputs, output):
    """Every weight is used at every position of the output."""
    elements = math.prod(output)
    weights = math.prod(layer.kernel.shape)
    bias = elements if layer.use_bias else 0
    return Cost(convolution=elements // output[-1] * weights + bias, activations=elements)


def winograd(layer, inputs, output):
    """Six kernels at a fourth of the positions, and the matrix that transforms their inputs."""
    length = output[layer.axis]
    lines, tiles = math.prod(output[:-1]) // length, math.ceil(length / OUTPUTS)
    weights = sum(math.prod(kernel.shape) for kernel in layer.kernels)
    elements = math.prod(output)
    return Cost(
        convolution=lines * tiles * weights + (elements if layer.use_bias else 0),
        product=lines * tiles * len(layer.kernels) * length * inputs[0][-1],
        activations=elements,
    )


def dense(layer, inputs, output):
    return matrices(math.prod(output[:-1]), layer.kernel.shape)


def matrices(rows, *shapes):
    """Dense layers with kernels of these shapes, each applied to `rows` rows."""
    weights = sum(width * units for width, units in shapes)
    return Cost(dense=rows * weights, activations=rows * sum(units for _, units in shapes))


def norm(layer, inputs, output):
    return Cost(norm=2 * math.prod(output))


def relu(layer, inputs, output):
    return Cost(relu=math.prod(output))


def pooling(layer, inputs, output):
    return Cost(pooling=math.prod(inputs[0]))


def self_attention(layer, inputs, output):
    """Products of queries and keys, and of weights and values, along the attending axis."""
    (*positions, width), length = output, output[layer.axis]
    tokens = math.prod(positions)
    projections = matrices(tokens, (width, 3 * width), (width, width))
    return projections + Cost(product=2 * tokens * length * width)


def transformer_block(layer, inputs, output):
    """Attention among all tokens, the feed-forward network, and the two norms."""
    batch, tokens, width = output
    rows = batch * tokens
    kernels = ((width, 3 * width), (width, width), (width, layer.mlp_dim), (layer.mlp_dim, width))
    norms = Cost(norm=4 * rows * width, product=2 * rows * tokens * width)
    return matrices(rows, *kernels) + norms


def attentive_pooling(layer, inputs, output):
    """Keys and values of all tokens, and one query; a feed-forward network on its result."""
    batch, tokens, width = inputs[0]
    rows = batch * tokens
    cost = matrices(rows, (width, width), (width, width)) + matrices(1, (width, width))
    cost += matrices(batch, (width, 4 * width), (4 * width, width))
    return cost + Cost(norm=2 * (rows + batch) * width, product=2 * rows * width)


def window_attention(layer, inputs, output):
    """As `self_attention`, among the positions of a window."""
    tokens, width = output[0] * math.prod(layer.padded), output[-1]
    projections = matrices(tokens, (width, 3 * width), (width, width))
    return projections + Cost(product=2 * tokens * math.prod(layer.box) * width)


def cross_attention(layer, inputs, output):
    """Products of few queries and many keys, and of weights and values."""
    (batch, queries, width), (_, tokens, _) = inputs
    projections = matrices(batch * queries, (width, width), (width, width)) + matrices(
        batch * tokens, (width, width), (width, width)
    )
    return projections + Cost(product=2 * batch * queries * tokens * width)


def pooling_attention(layer, inputs, output):
    """As `self_attention`, of pooled queries with pooled keys and values; pooling included."""
    (batch, tokens, width), inner = inputs[0], layer.width
    queries, keys = (1 + math.prod(size) for size in (layer.query_size, layer.key_size))
    projections = matrices(batch * tokens, (width, 3 * inner)) + matrices(
        batch * queries, (inner, inner)
    )
    sizes = {"q": queries - 1, "k": keys - 1, "v": keys - 1}
    pooled = sum(sizes[name] for name in layer.pools)
    cost = projections + Cost(
        product=2 * batch * queries * keys * inner, convolution=27 * batch * pooled * inner
    )
    if layer.relative:
        terms = batch * (queries - 1) * sum(layer.key_size) * inner
        cost = cost + Cost(product=terms)
    return cost


def position_attention(layer, inputs, output):
    queries, keys, values = inputs
    pairs = queries[0] * math.prod(queries[1:-1]) * math.prod(keys[1:-1])
    return Cost(product=pairs * (keys[-1] + values[-1]))


def relation(layer, inputs, output):
    *outer, frames, features = inputs[0]
    return relation_of(math.prod(outer), frames * features, layer)


def relation_of(tuples, width, layer):
    return matrices(tuples, (width, layer.hidden), (layer.hidden, layer.classes))


def multi_scale_relation(layer, inputs, output):
    batch, frames, features = inputs[0]
    costs = (
        relation_of(batch * min(TUPLES, math.comb(frames, size)), size * features, layer)
        for size in layer.scales
    )
    return sum(costs, Cost())


def adaptive_module(layer, inputs, output):
    """The two branches, the gate, and a convolution over time with a kernel per channel."""
    folded, height, width, channels = inputs[0]
    kernel, gate = layer.kernel_layers, layer.gate_layers
    rows = folded // layer.frames * channels
    cost = matrices(rows, kernel[0].kernel.shape, kernel[2].kernel.shape)
    for conv in (gate[0], gate[2]):
        size = math.prod(conv.kernel.shape)
        cost += Cost(convolution=folded * size, activations=folded * conv.filters)
    normalized = rows * kernel[0].units + folded * gate[0].filters
    elements = math.prod(inputs[0])
    return cost + Cost(norm=2 * normalized, product=(1 + layer.kernel_size) * elements)


def interlace(layer, inputs, output):
    """The two small networks, and a product over time for all positions of the shifted channels."""
    folded, height, width, channels = inputs[0]
    fold, frames = channels // layer.divisor, layer.frames
    clips = folded // frames
    convs = sum(math.prod(c.kernel.shape) for c in (layer.offset_conv, layer.weight_conv))
    cost = Cost(convolution=folded * convs, activations=folded * (1 + OFFSETS))
    cost += matrices(clips, (frames, frames), (frames, OFFSETS))
    return cost + Cost(product=clips * frames**2 * height * width * fold)


def auxiliary(layer, inputs, output):
    """Zero when the classifier is inactive."""
    if not layer.active:
        return Cost()
    batch, frames, height, width, channels = inputs[1]
    positions = batch * frames * math.ceil(height / 2) * math.ceil(width / 2)
    elements = positions * 2 * channels
    cost = Cost(convolution=positions * math.prod(layer.conv.kernel.shape), activations=elements)
    return cost + Cost(norm=2 * elements) + matrices(batch, layer.fc.kernel.shape)


def free(layer, inputs, output):
    """Only additions and products with a scalar, which are not counted."""
    return Cost()


COUNTERS = {
    layers.Dense: dense,
    Dense: dense,
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    StridedPointwiseConv3D: convolution,
    layers.DepthwiseConv2D: convolution,
    DepthwiseConv3D: convolution,
    GroupedTemporalConv: convolution,
    TemporalDepthwiseConv: convolution,
    WinogradConv: winograd,
    layers.BatchNormalization: norm,
    layers.LayerNormalization: norm,
    layers.ReLU: relu,
    layers.MaxPooling2D: pooling,
    layers.AveragePooling2D: pooling,
    layers.GlobalAveragePooling2D: pooling,
    layers.GlobalAveragePooling3D: pooling,
    layers.GlobalMaxPooling2D: pooling,
    layers.GlobalMaxPooling3D: pooling,
    MaxPooling: pooling,
    SpatialAveragePooling: pooling,
    SelfAttention: self_attention,
    WindowAttention: window_attention,
    WindowAttention3D: window_attention,
    CrossAttention: cross_attention,
    PoolingAttention: pooling_attention,
    PositionAttention: position_attention,
    TemporalRelation: relation,
    MultiScaleRelation: multi_scale_relation,
    TemporalAdaptiveModule: adaptive_module,
    TemporalInterlace: interlace,
    AuxiliaryClassifier: auxiliary,
    TokenEmbedding: free,
    SeparateTokenEmbedding: free,
    ClipQuery: free,
    Blend: free,
    LearnedPositions: free,
    TransformerBlock: transformer_block,
    AttentivePooling: attentive_pooling,
    FramePositions: free,
    Scale: free,
}
