"""Temporal pyramid (arXiv:2004.03548): features of several stages at different tempos."""

import keras
from keras import layers, ops

from keras_video.layers.batch_norm import BatchNormalization
from keras_video.layers.convolution import conv_bn, convolution, norm
from keras_video.layers.grouped import GroupedTemporalConv

GROUPS = 32

# Initialization of all kernels of the pyramid: Xavier uniform.
KERNEL_INIT = {"kernel_initializer": "glorot_uniform"}

LEVEL_WIDTH = 1024
WIDTH = 2048


def temporal_pyramid(levels, *, temporal_pool=8, name):
    """Brings two stages to the same size and tempo, and fuses them top-down, then bottom-up.

    Args:
        levels: features of two stages `(n, t, h, w, c)`, the first with twice the height and
            width and half the channels.
        temporal_pool: size of the temporal max pooling.
        name: prefix of the layers.

    Returns:
        `(n, ceil(t / temporal_pool), h, w, 2048)` of the size of the second stage.
    """
    spatial = f"{name}_spatial_modulation_spatial_modulation_0_0"
    large, small = levels
    levels = [
        conv_bn(large, small.shape[-1], (1, 3, 3), (1, 2, 2), name=spatial, **KERNEL_INIT),
        small,
    ]
    levels = [
        modulate_time(level, temporal_pool, name=f"{name}_temporal_modulation_ops_{index}")
        for index, level in enumerate(levels)
    ]
    levels[0] = layers.Add(name=f"{name}_top_down")(levels)
    top_down = fuse_levels(levels, name=f"{name}_level_fusion_1")
    lower = convolution(
        levels[0], LEVEL_WIDTH, (3, 1, 1), name=f"{name}_downsample_ops_0_conv_conv", **KERNEL_INIT
    )
    levels[1] = layers.Add(name=f"{name}_bottom_up")([levels[1], lower])
    bottom_up = fuse_levels(levels, name=f"{name}_level_fusion_2")
    both = layers.Concatenate(name=f"{name}_pyramids")([top_down, bottom_up])
    return conv_bn(both, WIDTH, name=f"{name}_pyramid_fusion", **KERNEL_INIT)


def modulate_time(x, temporal_pool, *, name):
    """A grouped temporal convolution, then max pooling over `temporal_pool` frames."""
    x = GroupedTemporalConv(LEVEL_WIDTH, 3, GROUPS, name=f"{name}_conv_conv", **KERNEL_INIT)(x)
    return MaxOfFrames(temporal_pool, name=f"{name}_pool")(x)


def fuse_levels(levels, *, name):
    """Levels mixed in groups, then joined by a 1x1x1 convolution."""
    mixed = []
    for index, level in enumerate(levels):
        prefix = f"{name}_downsamples_{index}_conv"
        level = GroupedTemporalConv(LEVEL_WIDTH, 1, GROUPS, name=f"{prefix}_conv", **KERNEL_INIT)(
            level
        )
        level = norm(level, name=f"{prefix}_bn")
        mixed.append(layers.ReLU(name=f"{prefix}_relu")(level))
    joined = layers.Concatenate(name=f"{name}_levels")(mixed)
    return conv_bn(joined, WIDTH, name=f"{name}_fusion_conv", **KERNEL_INIT)


@keras.saving.register_keras_serializable("keras_video")
class MaxOfFrames(keras.layers.Layer):
    """Maximum of every `size` frames; the last group may have fewer.

    Input: `(n, t, h, w, c)`. Output: `(n, ceil(t / size), h, w, c)`.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        _, frames, *image = ops.shape(x)
        rest = -frames % self.size
        if not isinstance(rest, int) or rest:
            last = ops.split(x, [ops.shape(x)[1] - 1], axis=1)[1]
            x = ops.concatenate([x, ops.repeat(last, rest, axis=1)], axis=1)
        x = ops.reshape(x, (-1, (frames + rest) // self.size, self.size, *image))
        return ops.max(x, axis=2)

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else -(-frames // self.size), *rest)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_video")
class AuxiliaryClassifier(keras.layers.Layer):
    """A second classifier on an earlier stage, for a training loss.

    It is between the features and their classifier and passes the features on. So a model has its
    weights, and published ones can be loaded, even if it does not compute the logits.

    Call with features `(n, c)` and an earlier stage's `(n, t, h, w, c')`. Output: the features, or
    with `active` a pair of the features and the logits `(n, classes)`.

    Args:
        classes: number of logits.
        active: whether the logits are computed.
        dropout: dropout rate before the dense layer.
    """

    def __init__(self, classes, active=False, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.active = active
        self.rate = dropout
        self.pad = layers.ZeroPadding3D((0, 1, 1))
        self.bn = BatchNormalization(momentum=0.9, epsilon=1e-5, name="conv_bn")
        self.dropout = layers.Dropout(dropout)
        initializer = keras.initializers.RandomNormal(stddev=0.01)
        self.fc = layers.Dense(classes, kernel_initializer=initializer, dtype="float32", name="fc")

    def build(self, features_shape, stage_shape):
        channels = stage_shape[-1]
        self.conv = layers.Conv3D(
            2 * channels, (1, 3, 3), (1, 2, 2), use_bias=False, dtype=self.dtype_policy,
            name="conv_conv",
        )  # fmt: skip
        self.conv.build(self.pad.compute_output_shape(stage_shape))
        self.bn.build((*stage_shape[:-1], 2 * channels))
        self.fc.build((None, 2 * channels))

    def call(self, features, stage, training=None):
        if not self.active:
            return features
        x = self.conv(self.pad(stage))
        x = ops.relu(self.bn(x, training=training))
        x = ops.mean(x, axis=(1, 2, 3))
        return features, self.fc(self.dropout(x, training=training))

    def compute_output_shape(self, features_shape, stage_shape):
        if not self.active:
            return features_shape
        return features_shape, (features_shape[0], self.classes)

    def get_config(self):
        config = {"classes": self.classes, "active": self.active, "dropout": self.rate}
        return {**super().get_config(), **config}
