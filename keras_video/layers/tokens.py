"""A clip as tokens: the class token, and the patches frame by frame.

Tokens are `(batch, 1 + frames * patches, width)`. Parts are taken with split, whose gradient is
faster than a slice's on TensorFlow.
"""

import keras
import numpy as np
from keras import ops

from keras_video.layers.position_tables import resize_frames, resize_grid


def split_class_token(x):
    """`(n, 1 + tokens, width)` as the class token `(n, 1, width)` and the rest."""
    return ops.split(x, [1], axis=1)


def is_class_token(x):
    """1 for the class token of every frame, 0 for patches: `(1 + patches, 1)`.

    Args:
        x: `(batch, frames, 1 + patches, width)`.
    """
    return ops.convert_to_tensor(np.eye(x.shape[2], 1), dtype=x.dtype)


def without_class_token(x):
    """`x` with zeros for the class token of every frame; see `is_class_token`."""
    return x * (1 - is_class_token(x))


@keras.saving.register_keras_serializable("keras_video")
class TokenEmbedding(keras.layers.Layer):
    """Adds learned positions to patches and prepends a learned class token.

    Input: `(batch, frames, rows, columns, width)`, all but the batch size known. Output:
    `(batch, 1 + frames * rows * columns, width)`; without times every frame is a separate example,
    `(batch * frames, 1 + rows * columns, width)`.

    Args:
        times: whether to add temporal positions.
    """

    def __init__(self, times=True, **kwargs):
        super().__init__(**kwargs)
        self.times = times

    def build(self, input_shape):
        _, self.frames, *self.grid, width = input_shape
        positions = 1 + self.grid[0] * self.grid[1]
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.cls_token = self.add_weight((1, 1, width), initializer=normal, name="cls_token")
        self.pos_embed = self.add_weight(
            (1, positions, width), initializer=normal, name="pos_embed"
        )
        if self.times:
            self.time_embed = self.add_weight(
                (1, self.frames, width), initializer="zeros", name="time_embed"
            )
        super().build(input_shape)

    def call(self, x):
        patches, width = self.grid[0] * self.grid[1], x.shape[-1]
        class_position, positions = split_class_token(ops.convert_to_tensor(self.pos_embed))
        class_token = self.cls_token + class_position  # (1, 1, c)
        x = ops.reshape(x, (-1, self.frames, patches, width)) + positions
        if self.times:
            x = x + ops.expand_dims(self.time_embed, 2)  # (1, t, 1, c)
            x = ops.reshape(x, (-1, self.frames * patches, width))
        else:
            x = ops.reshape(x, (-1, patches, width))
        class_token = ops.broadcast_to(class_token, (ops.shape(x)[0], 1, width))
        return ops.concatenate([class_token, x], axis=1)

    def compute_output_shape(self, input_shape):
        batch, frames, rows, columns, width = input_shape
        if self.times:
            return (batch, 1 + frames * rows * columns, width)
        return (None if batch is None else batch * frames, 1 + rows * columns, width)

    def fit_tensor(self, name, array):
        """A checkpoint's table resized to this layer's frames and patches.

        Positions are interpolated bicubically as an image, from a square grid; times by
        nearest neighbor.
        """
        if name == "pos_embed" and array.shape[1] != self.pos_embed.shape[1]:
            return resize_grid(array, self.grid)
        if name == "time_embed" and self.times and array.shape[1] != self.frames:
            return resize_frames(array, self.frames)
        return array

    def get_config(self):
        return {**super().get_config(), "times": self.times}


@keras.saving.register_keras_serializable("keras_video")
class PadClassToken(keras.layers.Layer):
    """Patches as tokens, preceded by zeros for the class token.

    Input: `(batch, rows, columns, width)`. Output: `(batch, 1 + rows * columns, width)`.
    """

    def call(self, x):
        _, rows, columns, width = x.shape
        x = ops.reshape(x, (-1, rows * columns, width))
        return ops.pad(x, ((0, 0), (1, 0), (0, 0)))

    def compute_output_shape(self, input_shape):
        batch, rows, columns, width = input_shape
        return (batch, 1 + rows * columns, width)


@keras.saving.register_keras_serializable("keras_video")
class FrameTokens(keras.layers.Layer):
    """The class token before the patches of every frame, `(batch, frames, 1 + patches, width)`.

    Input: tokens `(batch, 1 + frames * patches, width)`.

    Args:
        frames: frames of a clip.
    """

    def __init__(self, frames, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, x):
        class_token, patches = split_class_token(x)
        _, count, width = patches.shape
        patches = ops.reshape(patches, (-1, self.frames, count // self.frames, width))
        shape = (ops.shape(x)[0], self.frames, 1, width)
        class_token = ops.broadcast_to(ops.expand_dims(class_token, 1), shape)
        return ops.concatenate([class_token, patches], axis=2)

    def compute_output_shape(self, input_shape):
        batch, tokens, width = input_shape
        return (batch, self.frames, 1 + (tokens - 1) // self.frames, width)

    def get_config(self):
        return {**super().get_config(), "frames": self.frames}


@keras.saving.register_keras_serializable("keras_video")
class PatchesOnly(keras.layers.Layer):
    """Zeros for the class token of every frame: `(batch, frames, 1 + patches, width)`."""

    def call(self, x):
        return without_class_token(x)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("keras_video")
class ShareClassToken(keras.layers.Layer):
    """Replaces every frame's class token by their mean: `(batch, frames, 1 + patches, width)`."""

    def call(self, x):
        class_tokens, _ = ops.split(x, [1], axis=2)
        shared = ops.mean(class_tokens, axis=1, keepdims=True)
        return without_class_token(x) + shared * is_class_token(x)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("keras_video")
class JoinFrames(keras.layers.Layer):
    """Joins frames' tokens into a clip's; the class token is the mean of the frames'.

    Input: `(batch, frames, 1 + patches, width)`. Output: `(batch, 1 + frames * patches, width)`.
    """

    def call(self, x):
        _, frames, tokens, width = x.shape
        class_tokens, patches = ops.split(x, [1], axis=2)
        patches = ops.reshape(patches, (-1, frames * (tokens - 1), width))
        return ops.concatenate([ops.mean(class_tokens, axis=1), patches], axis=1)

    def compute_output_shape(self, input_shape):
        batch, frames, tokens, width = input_shape
        return (batch, 1 + frames * (tokens - 1), width)


@keras.saving.register_keras_serializable("keras_video")
class ClassToken(keras.layers.Layer):
    """The class token of a clip, `(batch, width)`.

    Input: tokens `(batch, tokens, width)`, or of single frames `(batch * frames, tokens, width)`.

    Args:
        frames: frames whose class tokens are averaged; 1 for tokens of a whole clip.
    """

    def __init__(self, frames=1, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, x):
        class_token, _ = split_class_token(x)
        return ops.mean(ops.reshape(class_token, (-1, self.frames, x.shape[-1])), axis=1)

    def compute_output_shape(self, input_shape):
        batch, _, width = input_shape
        return (None if batch is None else batch // self.frames, width)

    def get_config(self):
        return {**super().get_config(), "frames": self.frames}


@keras.saving.register_keras_serializable("keras_video")
class PatchMap(keras.layers.Layer):
    """Patches as a feature map, `(batch, frames, rows, columns, width)`.

    Input: tokens of clips or of single frames.

    Args:
        frames, rows, columns: patches of a clip along each axis.
    """

    def __init__(self, frames, rows, columns, **kwargs):
        super().__init__(**kwargs)
        self.grid = (frames, rows, columns)

    def call(self, x):
        _, patches = split_class_token(x)
        return ops.reshape(patches, (-1, *self.grid, x.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (None, *self.grid, input_shape[-1])

    def get_config(self):
        frames, rows, columns = self.grid
        return {**super().get_config(), "frames": frames, "rows": rows, "columns": columns}
