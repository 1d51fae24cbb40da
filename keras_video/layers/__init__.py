"""Building blocks of the networks: functions that compose Keras layers, and custom layers."""

import keras  # noqa: F401  (before the modules below, which its import may load)

from keras_video.layers.attention import AttentivePooling, TokenAttention
from keras_video.layers.batch_norm import BatchNormalization
from keras_video.layers.causal import (
    CausalPadding,
    CumulativeMean,
    FramePositions,
    StreamStep,
    TemporalDepthwiseConv,
    TemporalMean,
)
from keras_video.layers.conv3d import Conv3D
from keras_video.layers.convolution import (
    MaxPooling,
    StridedPointwiseConv3D,
    conv_bn,
    convolution,
    max_pool,
)
from keras_video.layers.dense import Dense
from keras_video.layers.depthwise import DepthwiseConv2D, DepthwiseConv3D, depthwise_bn
from keras_video.layers.drop_path import drop_path
from keras_video.layers.drop_pathway import DropPathway
from keras_video.layers.factorized import factorized_bn
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.frozen_stats_batch_norm import FrozenStatsBatchNormalization
from keras_video.layers.local_attention import (
    LearnedScale,
    LocalTransformerBlock,
    SequenceMask,
)
from keras_video.layers.mobile_video import Scale, SpatialAveragePooling, mobile_block
from keras_video.layers.non_local import non_local
from keras_video.layers.probe_heads import NearestNeighbors, QueryPooling, Standardize
from keras_video.layers.residual import (
    RESNET_BLOCKS,
    basic_block,
    bottleneck,
    residual_stage,
    resnet,
)
from keras_video.layers.space_time_attention import SelfAttention
from keras_video.layers.sub_batch_norm import SubBatchNormalization, split_batch_norms
from keras_video.layers.temporal_adaptive import TemporalAdaptiveModule
from keras_video.layers.temporal_interlace import TemporalInterlace
from keras_video.layers.temporal_relation import MultiScaleRelation, TemporalRelation
from keras_video.layers.temporal_shift import TemporalShift
from keras_video.layers.tokens import TokenEmbedding
from keras_video.layers.transformer_block import TransformerBlock
from keras_video.layers.tubelets import LearnedPositions, SinePositions, TokenMap
from keras_video.layers.winograd import WinogradConv

__all__ = [
    "AttentivePooling",
    "RESNET_BLOCKS",
    "BatchNormalization",
    "CausalPadding",
    "Conv3D",
    "CumulativeMean",
    "Dense",
    "DepthwiseConv2D",
    "DepthwiseConv3D",
    "DropPathway",
    "FoldTime",
    "FramePositions",
    "FrozenStatsBatchNormalization",
    "LearnedPositions",
    "LearnedScale",
    "LocalTransformerBlock",
    "MaxPooling",
    "MultiScaleRelation",
    "NearestNeighbors",
    "QueryPooling",
    "SinePositions",
    "Scale",
    "SpatialAveragePooling",
    "Standardize",
    "StreamStep",
    "StridedPointwiseConv3D",
    "SubBatchNormalization",
    "TemporalAdaptiveModule",
    "TemporalDepthwiseConv",
    "TemporalInterlace",
    "TemporalMean",
    "TemporalRelation",
    "TemporalShift",
    "TokenAttention",
    "TokenMap",
    "TransformerBlock",
    "UnfoldTime",
    "WinogradConv",
    "basic_block",
    "bottleneck",
    "conv_bn",
    "convolution",
    "depthwise_bn",
    "factorized_bn",
    "max_pool",
    "mobile_block",
    "non_local",
    "residual_stage",
    "resnet",
    "split_batch_norms",
    "drop_path",
    "SelfAttention",
    "SequenceMask",
    "TokenEmbedding",
]
