"""Every n-th frame of a clip."""

import functools
import operator

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class StrideFrames(keras.layers.Layer):
    """Takes every `stride`-th frame, from the first, of whole groups of `stride` frames.

    Input: `(batch, frames, ...)`. Output: `(batch, frames // stride, ...)`, same dtype.
    """

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x):
        if self.stride == 1:
            return x
        # A stride of 1 in every slice: TensorFlow copies whole frames then, not single numbers.
        batch, frames, *rest = ops.shape(x)
        groups = frames // self.stride
        # A frame is one axis meanwhile: LiteRT slices five axes at most.
        frame = functools.reduce(operator.mul, rest, 1)
        x = ops.reshape(x[:, : groups * self.stride], (batch, groups, self.stride, frame))
        return ops.reshape(x[:, :, 0], (batch, groups, *rest))

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else frames // self.stride, *rest)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}
