"""Folding frames into the batch and back, to apply 2-D layers to clips."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class FoldTime(keras.layers.Layer):
    """Folds frames into the batch.

    Input: `(batch, frames, ...)`. Output: `(batch * frames, ...)`, same dtype.
    """

    def call(self, x):
        shape = ops.shape(x)
        return ops.reshape(x, (-1, *shape[2:]))  # (b, t, ...) -> (b*t, ...)

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        known = batch is not None and frames is not None
        return (batch * frames if known else None, *rest)


@keras.saving.register_keras_serializable("keras_video")
class UnfoldTime(keras.layers.Layer):
    """Unfolds frames from the batch, the inverse of `FoldTime`.

    Call with the folded tensor `(batch * frames, ...)` and, if `frames` is not given, with any
    tensor whose second axis has that many frames (usually the model's input).
    Output: `(batch, frames, ...)`.

    Args:
        frames: frames of a clip; `None` reads it from the second argument of the call.
    """

    def __init__(self, frames=None, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, folded, clip=None):
        frames = self.frames if self.frames is not None else ops.shape(clip)[1]
        return ops.reshape(
            folded, (-1, frames, *ops.shape(folded)[1:])
        )  # (b*t, ...) -> (b, t, ...)

    def compute_output_shape(self, folded_shape, clip_shape=None):
        frames = self.frames if clip_shape is None else clip_shape[1]
        known = folded_shape[0] is not None and frames is not None
        batch = folded_shape[0] // frames if known else clip_shape and clip_shape[0]
        return (batch, frames, *folded_shape[1:])

    def get_config(self):
        return {**super().get_config(), "frames": self.frames}
