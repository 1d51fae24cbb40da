"""Every n-th frame of a clip."""

import functools
import operator

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class StrideFrames(keras.layers.Layer):
    """Takes the first frame of every complete group of `stride` frames.

    Input: `(batch, frames, ...)`. Output: `(batch, frames // stride, ...)`, same dtype.
    """

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x):
        if self.stride == 1:
            return x
        # Slices have stride 1, so that TensorFlow copies whole frames instead of single values.
        batch, frames, *rest = ops.shape(x)
        groups = frames // self.stride
        # Frames are flattened meanwhile: LiteRT slices at most five axes.
        frame = functools.reduce(operator.mul, rest, 1)
        x = ops.reshape(x[:, : groups * self.stride], (batch, groups, self.stride, frame))
        return ops.reshape(x[:, :, 0], (batch, groups, *rest))

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else frames // self.stride, *rest)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}
