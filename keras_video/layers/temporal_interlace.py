"""Temporal interlace (arXiv:2001.06499): part of the channels moves by learned offsets."""

import keras
from keras import layers, ops

from keras_video.layers.convolution import torch_default

# Two groups of channels move by learned offsets, two more by the opposite ones.
OFFSETS = 2

# Bias before a sigmoid that makes initial offsets about 4 * (sigmoid - 0.5) = 0.5.
FIRST_OFFSET = 0.5108


@keras.saving.register_keras_serializable("keras_video")
class TemporalInterlace(keras.layers.Layer):
    """Moves some channels along time by offsets that depend on the clip (arXiv:2001.06499).

    The first `channels // divisor` channels are four groups, moved by offsets `a`, `b`, `-a` and
    `-b` within (-2, 2); a positive offset moves content to later frames, a fraction interpolates
    between two frames, and clips are padded with zeros. Then frame `t` of the groups is
    multiplied by weights `v[t]`, `w[t]`, `v[t]` and `w[t]` within (0, 2). Two small networks
    compute offsets and weights from the means over space.

    Input and output: folded frames `(batch * frames, height, width, channels)`, same dtype.

    Args:
        frames: frames of a clip; the weights depend on it.
        divisor: `1 / divisor` of the channels moves.

    Raises:
        ValueError: if the channels that move are not four equal groups.
    """

    def __init__(self, frames, divisor=4, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames
        self.divisor = divisor

    def build(self, input_shape):
        fold = input_shape[-1] // self.divisor
        if fold == 0 or fold % (2 * OFFSETS):
            raise ValueError(
                f"{input_shape[-1]} channels with divisor={self.divisor}: expected the {fold} that "
                f"move to be {2 * OFFSETS} equal groups."
            )
        frames = self.frames
        options = {"dtype": self.dtype_policy}
        self.offset_conv = layers.Conv1D(
            1, 3, padding="same", name="offset_net_conv", **torch_default(3 * fold), **options
        )
        self.offset_hidden = layers.Dense(
            frames, activation="relu", name="offset_net_fc1", **torch_default(frames), **options
        )
        first = keras.initializers.Constant(FIRST_OFFSET)
        first = {**torch_default(frames), "bias_initializer": first}
        self.offset = layers.Dense(OFFSETS, name="offset_net_fc2", **first, **options)
        ones = {
            **torch_default(3 * fold),
            "bias_initializer": "zeros",
        }  # initially twice the sigmoid of 0
        self.weight_conv = layers.Conv1D(
            OFFSETS, 3, padding="same", name="weight_net_conv", **ones, **options
        )
        self.offset_conv.build((None, frames, fold))
        self.offset_hidden.build((None, frames))
        self.offset.build((None, frames))
        self.weight_conv.build((None, frames, fold))

    def call(self, x):
        _, height, width, channels = ops.shape(x)
        fold = channels // self.divisor
        moved, unmoved = ops.split(x, [fold], axis=-1)
        moved = ops.reshape(moved, (-1, self.frames, height * width, fold))
        pooled = ops.mean(moved, axis=2)  # (b, t, fold)
        moved = self.interlace(moved, self.offsets(pooled), self.frame_weights(pooled))
        return ops.concatenate([ops.reshape(moved, (-1, height, width, fold)), unmoved], axis=-1)

    def offsets(self, pooled):
        """Offsets `(b, 4)` in frames from means `(b, t, fold)`."""
        x = ops.squeeze(self.offset_conv(pooled), axis=-1)  # (b, t)
        x = 4 * (ops.sigmoid(self.offset(self.offset_hidden(x))) - 0.5)
        return ops.concatenate([x, -x], axis=-1)

    def frame_weights(self, pooled):
        """Weights `(b, t, 4)` from means `(b, t, fold)`."""
        x = 2 * ops.sigmoid(self.weight_conv(pooled))
        return ops.concatenate([x, x], axis=-1)

    def interlace(self, x, offsets, weights):
        """Moves channels `(b, t, positions, fold)` by offsets `(b, 4)`, weighted `(b, t, 4)`.

        Interpolates by a product with a matrix whose row for frame `t` is a triangle around
        `t - offset`.
        """
        frames = ops.arange(self.frames, dtype=x.dtype)
        distance = frames[:, None] - frames[None]  # (t, s)
        matrix = ops.relu(1 - ops.abs(distance - offsets[:, :, None, None]))  # (b, g, t, s)
        matrix = matrix * ops.transpose(weights, (0, 2, 1))[..., None]
        positions, fold = ops.shape(x)[2:]
        groups = 2 * OFFSETS
        size = fold // groups
        x = ops.reshape(x, (-1, self.frames, positions, groups, size))
        x = ops.transpose(x, (0, 3, 1, 2, 4))  # (b, g, t, p, c)
        x = matrix @ ops.reshape(x, (-1, groups, self.frames, positions * size))
        x = ops.reshape(x, (-1, groups, self.frames, positions, size))
        return ops.reshape(ops.transpose(x, (0, 2, 3, 1, 4)), (-1, self.frames, positions, fold))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "frames": self.frames, "divisor": self.divisor}
