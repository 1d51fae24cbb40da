"""Depthwise convolution over clips and frames."""

import keras
from keras import ops

from keras_video.layers.convolution import he_normal_fan_out, norm, per_axis
from keras_video.layers.devices import is_bfloat16_on_cpu, is_for_another_runtime, on_gpu
from keras_video.layers.temporal_kernels import same_padding, strided_length, sum_over_kernel


def depthwise_bn(x, kernel_size, strides=1, *, name, activation="relu", epsilon=1e-5):
    """Depthwise convolution without bias, batch norm, activation; the depthwise `conv_bn`.

    Layers are named `{name}_conv`, `{name}_bn` and `{name}_{activation}`.

    Args:
        x: clips `(n, t, h, w, c)`.
        activation: name of a Keras activation, or `None`.
    """
    x = DepthwiseConv3D(kernel_size, strides, name=f"{name}_conv")(x)
    x = norm(x, epsilon=epsilon, name=f"{name}_bn")
    if activation is None:
        return x
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


@keras.saving.register_keras_serializable("keras_video")
class DepthwiseConv3D(keras.layers.Layer):
    """Convolution of every channel of a clip with its own kernel.

    Input: `(n, t, h, w, c)`. Output: `(n, ceil(t/stride), ceil(h/stride), ceil(w/stride), c)`.

    The result is that of a convolution with one group per channel, computed in the form that is
    fast on the backend: on CPUs, the grouped form takes over a hundred times as long as a depthwise
    2-D convolution per temporal position on TensorFlow, and as multiply-adds that XLA fuses on JAX.
    On GPUs, JAX trains up to five times faster per position than with multiply-adds.

    Args:
        kernel_size, strides: an integer, or one per axis (time, height, width). Kernels are odd,
            and the strides of height and width equal.
        use_bias: whether to add a learned bias per channel.
        padding: "centered" pads `kernel // 2` zeros on both sides of every axis, as PyTorch does.
            "same" is TensorFlow's: it pads no more than the last window needs, and if the number is
            odd, one more after than before. They differ on even sizes with a stride.
        kernel_initializer: He normal over the fan-out if not given.

    Raises:
        ValueError: for an even kernel, different strides in height and width, or a stride over
            time with "same".
    """

    def __init__(
        self,
        kernel_size,
        strides=1,
        use_bias=False,
        padding="centered",
        kernel_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size = per_axis(kernel_size, 3)
        self.strides = per_axis(strides, 3)
        self.use_bias = use_bias
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"kernel_size={kernel_size}: expected odd numbers.")
        if self.strides[1] != self.strides[2]:
            raise ValueError(f"strides={strides}: expected the same for height and width.")
        if padding not in ("centered", "same"):
            raise ValueError(f"padding={padding!r}: expected 'centered' or 'same'.")
        if padding == "same" and self.strides[0] > 1:
            raise ValueError(f"strides={strides}: expected 1 over time with padding='same'.")
        self.padding = padding
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        channels = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, 1, channels),
            initializer=self.kernel_initializer or he_normal_fan_out(),
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros")

    def call(self, x, training=False):
        forms = {"torch": grouped, "jax": multiply_adds}
        convolve = forms.get(keras.backend.backend(), two_dimensional)
        if is_for_another_runtime():
            convolve = grouped
        if convolve is multiply_adds and training and on_gpu():
            convolve = per_position
        if convolve is two_dimensional and not training and self._fits_views(x):
            convolve = on_views
        kernel, dtype = ops.convert_to_tensor(self.kernel), x.dtype
        if convolve is two_dimensional and training and has_slow_gradient(x, self.strides[1]):
            x, kernel = ops.cast(x, "float32"), ops.cast(kernel, "float32")
        x = ops.cast(convolve(x, kernel, self.strides, self.padding), dtype)
        return x if self.bias is None else x + self.bias

    def _fits_views(self, x):
        one_clip = x.shape[0] == 1
        strides_fit = self.strides[0] == 1 and self.strides[1] <= 2
        return one_clip and strides_fit and self.kernel_size[1:] != (1, 1)

    def compute_output_shape(self, input_shape):
        batch, *axes, channels = input_shape
        lengths = map(strided_length, axes, self.strides)
        return (batch, *lengths, channels)

    def get_config(self):
        config = {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "use_bias": self.use_bias,
            "padding": self.padding,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer)
            if self.kernel_initializer
            else None,
        }
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' layer with fast gradients in bfloat16 on CPUs, for channels last.

    Arguments, weights and results are those of Keras' layer. Keras stores weights under the class
    name, which is Keras' own, so that files fit both layers.
    """

    def call(self, inputs, training=False):
        channels_last = self.data_format == "channels_last"
        if not (training and channels_last and has_slow_gradient(inputs, max(self.strides))):
            return super().call(inputs)
        outputs = ops.depthwise_conv(
            ops.cast(inputs, "float32"),
            ops.cast(self.kernel, "float32"),
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        outputs = ops.cast(outputs, inputs.dtype)
        return self.activation(outputs + self.bias if self.use_bias else outputs)


def has_slow_gradient(x, stride):
    """Whether TensorFlow's oneDNN has a fast kernel for the gradient of `x` in float32 only.

    It lacks one for bfloat16 with strides.
    """
    return keras.backend.backend() == "tensorflow" and stride > 1 and is_bfloat16_on_cpu(x)


def grouped(x, kernel, strides, padding="centered"):
    """The convolution as a single one with a group per channel."""
    if max(strides) == 1:  # kernels are odd
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    x = pad(x, kernel, strides, padding)
    return ops.conv(x, kernel, strides, padding="valid", data_format="channels_last")


def multiply_adds(x, kernel, strides, padding="centered"):
    """The convolution as a sum over kernel positions of the shifted clip times their weights."""
    lengths = map(strided_length, x.shape[1:-1], strides)
    spans = [(length - 1) * stride + 1 for length, stride in zip(lengths, strides, strict=True)]
    padded = pad(x, kernel, strides, padding)
    total = 0.0
    for t in range(kernel.shape[0]):
        for row in range(kernel.shape[1]):
            for column in range(kernel.shape[2]):
                window = tuple(
                    slice(start, start + span, stride)
                    for start, span, stride in zip((t, row, column), spans, strides, strict=True)
                )
                total = total + padded[(slice(None), *window)] * kernel[t, row, column, 0]
    return total


def two_dimensional(x, kernel, strides, padding="centered"):
    """As depthwise 2-D convolutions: one per temporal position, or one for temporal kernels."""
    if kernel.shape[1:3] == (1, 1) and max(strides) == 1:
        return over_time(x, kernel)
    return per_position(x, kernel, strides, padding)


def per_position(x, kernel, strides, padding="centered"):
    """As depthwise 2-D convolutions, one per temporal position of the kernel."""
    kernel_size, *size = kernel.shape[:3]
    padding = "same" if strides[1] == 1 or padding == "same" else "valid"
    if padding == "valid":
        x = ops.pad(x, [(0, 0), (0, 0), *((k // 2, k // 2) for k in size), (0, 0)])
    kernels = kernels_2d(kernel)

    def convolve(frames, position):
        _, length, *image = ops.shape(frames)
        frames = ops.reshape(frames, (-1, *image))  # (n, t, ...) -> (n*t, ...)
        frames = depthwise_2d(frames, kernels[position], strides[1], padding)
        return ops.reshape(frames, (-1, length, *ops.shape(frames)[1:]))

    return sum_over_kernel(x, kernel_size, strides[0], convolve)


def on_views(x, kernel, strides, padding="centered"):
    """As `per_position`, for one clip, a temporal stride of 1 and spatial strides up to 2.

    The frames of a kernel position are contiguous in the padded clip: slicing them copies nothing.
    With a stride, an even kernel makes "same" pad the required number of zeros before a frame; its
    gradient takes longer than padding.
    """
    kernel_size, frames = kernel.shape[0], ops.shape(x)[1]
    if strides[1] == 2 and padding == "centered":
        kernel = ops.pad(kernel, [(0, 0), (0, 1), (0, 1), (0, 0), (0, 0)])
    padded = ops.pad(
        ops.squeeze(x, 0), [(kernel_size // 2, kernel_size // 2), (0, 0), (0, 0), (0, 0)]
    )
    parts = [
        depthwise_2d(padded[position : position + frames], kernel_2d, strides[1], "same")
        for position, kernel_2d in enumerate(kernels_2d(kernel))
    ]
    return ops.expand_dims(sum(parts[1:], parts[0]), 0)


def kernels_2d(kernel):
    """The kernel of each temporal position, in the layout of 2-D depthwise convolutions."""
    # (k, h, w, 1, c) -> k of (h, w, c, 1)
    return [ops.transpose(part, (0, 1, 3, 2)) for part in ops.unstack(kernel, kernel.shape[0])]


def depthwise_2d(frames, kernel, stride, padding):
    """Depthwise convolution of frames `(n, h, w, c)` with a kernel `(h, w, c, 1)`."""
    return ops.depthwise_conv(frames, kernel, stride, padding, data_format="channels_last")


def over_time(x, kernel):
    """As one depthwise 2-D convolution over time and all positions: `kernel` is (k, 1, 1, 1, c)."""
    _, frames, height, width, channels = ops.shape(x)
    flat = ops.reshape(x, (-1, frames, height * width, channels))
    kernel = ops.reshape(kernel, (kernel.shape[0], 1, channels, 1))
    flat = ops.depthwise_conv(flat, kernel, 1, padding="same", data_format="channels_last")
    return ops.reshape(flat, (-1, frames, height, width, channels))


def pad(x, kernel, strides, padding="centered"):
    """`x` padded with zeros in time, height and width."""
    sizes = kernel.shape[:3]
    if padding == "centered":
        pads = [(size // 2, size // 2) for size in sizes]
    else:
        pads = map(same_padding, x.shape[1:-1], sizes, strides)
    return ops.pad(x, [(0, 0), *pads, (0, 0)])
