"""Convolution of clips whose kernels or channels JAX's GPUs have no fast kernel for."""

import math

import keras
from keras import layers, ops

from keras_video.layers.devices import on_jax_gpu
from keras_video.layers.temporal_kernels import pad_time, same_padding

# As many channels as this are fewer than a tensor core takes at a time.
FEW_CHANNELS = 4


@keras.saving.register_keras_serializable("keras_video")
class Conv3D(layers.Conv3D):
    """Keras' convolution of clips, in the form that is fast on JAX's GPUs.

    Arguments, weights and results are Keras'. There, a kernel that moves by its own size is a
    product of matrices, and with few channels the frames under a kernel become channels of one
    picture, which is convolved in space alone: XLA takes kernels for both that compute without
    tensor cores, or with most of their places empty.

    Keras stores weights under the name of the class: it is Keras' own, so that files fit both.
    """

    def convolution_op(self, inputs, kernel):
        plain = self.groups == 1 and {*self.dilation_rate} == {1}
        if plain and self.data_format == "channels_last" and on_jax_gpu():
            parts_fit = self.kernel_size == self.strides and max(self.strides) > 1
            if parts_fit and self.padding == "valid":
                return of_parts(inputs, kernel)
            if inputs.shape[-1] <= FEW_CHANNELS and self.kernel_size[0] > 1:
                return of_stacked_frames(inputs, kernel, self.strides, self.padding)
        return super().convolution_op(inputs, kernel)


def of_parts(x, kernel):
    """The convolution by a kernel that moves by its own size: a product of matrices.

    Args:
        x: clips `(n, t, h, w, c)`; what is left over at the end of an axis is left out.
        kernel: `(frames, height, width, c, filters)`.
    """
    size = kernel.shape[:3]
    counts = [length // part for length, part in zip(x.shape[1:4], size, strict=True)]
    t, h, w = (count * part for count, part in zip(counts, size, strict=True))
    x = x[:, :t, :h, :w]
    split = [one for pair in zip(counts, size, strict=True) for one in pair]
    # (n, t, h, w, c) -> (n, times, rows, columns, frames, height, width, c)
    x = ops.transpose(ops.reshape(x, (-1, *split, x.shape[-1])), (0, 1, 3, 5, 2, 4, 6, 7))
    x = ops.reshape(x, (-1, *counts, math.prod(kernel.shape[:-1])))
    return ops.matmul(x, ops.reshape(kernel, (-1, kernel.shape[-1])))


def of_stacked_frames(x, kernel, strides, padding):
    """The convolution, with the frames under the kernel as channels of one picture.

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
