"""3-D convolution for kernel sizes and channels that JAX has no fast GPU kernel for."""

import math

import keras
from keras import layers, ops

from keras_video.layers.devices import on_jax_gpu
from keras_video.layers.temporal_kernels import pad_time, same_padding

# Up to this many channels leave the tensor cores underused.
FEW_CHANNELS = 4


@keras.saving.register_keras_serializable("keras_video")
class Conv3D(layers.Conv3D):
    """Keras' 3-D convolution, computed in the form that is fast with JAX on GPUs.

    Arguments, weights and results are Keras'. With JAX on GPUs, a kernel whose strides equal its
    size is computed as a matrix product, and with few channels the frames under a kernel become
    channels of one image for a 2-D convolution: for both, XLA chooses kernels without tensor cores,
    or that leave most of their lanes empty.

    Keras stores weights under the class name, which is Keras' own, so that files fit both layers.
    """

    def convolution_op(self, inputs, kernel):
        plain = self.groups == 1 and {*self.dilation_rate} == {1}
        if plain and self.data_format == "channels_last" and on_jax_gpu():
            tiles = self.kernel_size == self.strides and max(self.strides) > 1
            if tiles and self.padding == "valid":
                return conv_by_matmul(inputs, kernel)
            if inputs.shape[-1] <= FEW_CHANNELS and self.kernel_size[0] > 1:
                return conv_by_stacked_frames(inputs, kernel, self.strides, self.padding)
        return super().convolution_op(inputs, kernel)


def conv_by_matmul(x, kernel):
    """The convolution as a matrix product, for strides equal to the kernel size.

    Args:
        x: clips `(n, t, h, w, c)`; an incomplete window at the end of an axis is dropped.
        kernel: `(frames, height, width, c, filters)`.
    """
    size = kernel.shape[:3]
    counts = [length // part for length, part in zip(x.shape[1:4], size, strict=True)]
    t, h, w = (count * part for count, part in zip(counts, size, strict=True))
    x = x[:, :t, :h, :w]
    split = [length for pair in zip(counts, size, strict=True) for length in pair]
    # (n, t, h, w, c) -> (n, times, rows, columns, frames, height, width, c)
    x = ops.transpose(ops.reshape(x, (-1, *split, x.shape[-1])), (0, 1, 3, 5, 2, 4, 6, 7))
    x = ops.reshape(x, (-1, *counts, math.prod(kernel.shape[:-1])))
    return ops.matmul(x, ops.reshape(kernel, (-1, kernel.shape[-1])))


def conv_by_stacked_frames(x, kernel, strides, padding):
    """The convolution, with the frames under the kernel as channels of one image.

    Args:
        x: clips `(n, t, h, w, c)`.
        kernel: `(frames, height, width, c, filters)`.
        padding: "valid" or "same".
    """
    frames, *area, channels, filters = kernel.shape
    if padding == "same":
        x = pad_time(x, *same_padding(x.shape[1], frames, strides[0]))
    count = (x.shape[1] - frames) // strides[0] + 1
    span = (count - 1) * strides[0] + 1
    x = ops.concatenate([x[:, at : at + span : strides[0]] for at in range(frames)], axis=-1)
    # (n, count, h, w, frames * c) -> (n * count, h, w, frames * c)
    x = ops.reshape(x, (-1, *x.shape[2:]))
    kernel = ops.transpose(kernel, (1, 2, 0, 3, 4))
    kernel = ops.reshape(kernel, (*area, frames * channels, filters))
    x = ops.conv(x, kernel, strides[1:], padding=padding, data_format="channels_last")
    return ops.reshape(x, (-1, count, *x.shape[1:]))
