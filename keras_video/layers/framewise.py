"""A convolution over clips as one over frames: for first layers, which see few channels."""

import keras
from keras import layers, ops

from keras_video.layers.convolution import he_normal_fan_out, norm
from keras_video.layers.taps import pad_time, shifted_frames


@keras.saving.register_keras_serializable("keras_video")
class FramewiseConv3D(layers.Conv3D):
    """A 3-D convolution, its kernel centred, that a 2-D convolution of every frame computes.

    The 2-D convolution has the filters of all taps over time, whose results are added up. Where
    the input has three channels, TensorFlow's CPU takes up to 200 times longer for the gradient of
    a 3-D kernel than for that of the 2-D one.

    Input: `(n, t, h, w, c)`. Output: `(n, t, h', w', filters)`.

    Args:
        filters: channels of the output.
        kernel_size: odd numbers `(time, height, width)`.
        strides: `(1, height, width)`.
        **options: of `keras.layers.Conv3D`, but for `padding`, `groups` and `dilation_rate`.

    Raises:
        ValueError: for a stride over time.
    """

    def __init__(self, filters, kernel_size, strides=(1, 1, 1), **options):
        options["padding"] = "same"  # so sizes are those of a centred kernel
        super().__init__(filters, kernel_size, strides, **options)
        if self.strides[0] != 1:
            raise ValueError(f"strides={strides}: expected 1 over time.")

    def convolution_op(self, inputs, kernel):
        taps, height, width, channels, filters = kernel.shape
        kernel = ops.transpose(kernel, (1, 2, 3, 0, 4))
        kernel = ops.reshape(kernel, (height, width, channels, taps * filters))
        _, frames, *image = ops.shape(inputs)
        x = ops.reshape(inputs, (-1, *image))  # (n, t, h, w, c) -> (n*t, h, w, c)
        x = ops.pad(x, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
        x = ops.conv(x, kernel, self.strides[1:], padding="valid", data_format="channels_last")
        x = ops.reshape(x, (-1, frames, *ops.shape(x)[1:]))
        parts, middle = ops.split(x, taps, axis=-1), taps // 2
        total = parts[middle]
        for tap, part in enumerate(parts):
            shift = tap - middle
            if shift == 0 or (isinstance(frames, int) and abs(shift) >= frames):
                continue
            total += pad_time(shifted_frames(part, shift), max(-shift, 0), max(shift, 0))
        return total


def framewise_conv_bn(x, filters, kernel_size, strides, *, name):
    """`conv_bn` by a `FramewiseConv3D`."""
    x = FramewiseConv3D(
        filters,
        kernel_size,
        strides,
        use_bias=False,
        kernel_initializer=he_normal_fan_out(),
        name=f"{name}_conv",
    )(x)
    return layers.Activation("relu", name=f"{name}_relu")(norm(x, name=f"{name}_bn"))
