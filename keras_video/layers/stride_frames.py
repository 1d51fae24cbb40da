"""Every n-th frame of a clip."""

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
        frames = ops.shape(x)[1]
        return x[:, : frames // self.stride * self.stride : self.stride]

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else frames // self.stride, *rest)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}
