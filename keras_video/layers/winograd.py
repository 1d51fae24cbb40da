"""Convolution with fewer multiplications, by Winograd's minimal filtering, for inference."""

import math

import keras
import numpy as np
from keras import ops

KERNEL_SIZE = 3
OUTPUTS = 4
# F(4, 3) of arXiv:1509.09308, section 4.3, with the paper's G and transposed B; its A is the sums
# in `output_of`. From a kernel of size 3 to the kernels of six products:
KERNELS = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
# From six input positions, the first one step before the first output, to the six products:
INPUTS = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)


@keras.saving.register_keras_serializable("keras_video")
class WinogradConv(keras.layers.Layer):
    """A convolution of stride 1 that halves the multiplications (arXiv:1509.09308).

    Along the height, or along time if the kernel has no height, four outputs are sums of six
    products instead of twelve. The result is that of `keras.layers.Conv2D` or `Conv3D` with
    padding "same" up to rounding, about 1e-5 of the largest value in float32.

    The layer's weights are the kernels of the six products, which `winograd_kernels` computes from
    a convolution's; training them is not equivalent to training the convolution.

    Input: frames `(n, h, w, c)` or clips `(n, t, h, w, c)`. Output: the same shape with
    `filters` channels.

    Args:
        filters: output channels.
        kernel_size: odd numbers, (height, width) or (time, height, width); see
            `filtered_axis`.
        use_bias: whether to add a bias per filter.
        activation: name of a Keras activation, or a function.

    Raises:
        ValueError: for a kernel without an axis to filter along, or an even one; for inputs whose
            length along that axis is unknown.
    """

    def __init__(self, filters, kernel_size, use_bias=False, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.axis = filtered_axis(self.kernel_size)
        if self.axis is None or any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(
                f"kernel_size={kernel_size}: expected odd numbers, {KERNEL_SIZE} for height, or "
                f"{KERNEL_SIZE} for time and 1 for height."
            )

    def build(self, input_shape):
        if input_shape[self.axis] is None:
            raise ValueError(f"input shape {input_shape}: expected a known axis {self.axis}.")
        shape = (*product_size(self.kernel_size), input_shape[-1], self.filters)
        self.kernels = [
            self.add_weight(name=f"kernel_{number}", shape=shape) for number in range(len(KERNELS))
        ]
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x):
        parts = input_parts(x, self.axis)
        parts = [convolve(*pair) for pair in zip(parts, self.kernels, strict=True)]
        if self.bias is not None:
            # This product counts once in each of the four outputs.
            parts[1] = parts[1] + self.bias
        return self.activation(output_of(parts, self.axis, ops.shape(x)[self.axis]))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
        }
        return {**super().get_config(), **config}


def filtered_axis(kernel_size):
    """The axis of the input along which multiplications can be saved.

    The height if the kernel has three rows; time if its temporal size is 3 and its height 1;
    `None` otherwise.
    """
    if kernel_size[-2] == KERNEL_SIZE:
        return len(kernel_size) - 1
    if len(kernel_size) == 3 and kernel_size[:2] == (KERNEL_SIZE, 1):
        return 1
    return None


def product_size(kernel_size):
    """The size of the products' kernels; two axes if they do not extend over time."""
    size = list(kernel_size)
    size[filtered_axis(kernel_size) - 1] = 1
    return tuple(size[1:] if len(size) == 3 and size[0] == 1 else size)


def winograd_kernels(kernel):
    """The six float32 kernels of `WinogradConv` for a NumPy kernel `(..., c, filters)`."""
    size = kernel.shape[:-2]
    weights = np.moveaxis(kernel.astype("float64"), filtered_axis(size) - 1, 0)
    shape = (*product_size(size), *kernel.shape[-2:])
    return [np.tensordot(row, weights, 1).reshape(shape).astype("float32") for row in KERNELS]


def input_parts(x, axis):
    """Inputs of the six kernels: `x` with a quarter of the length along `axis`.

    A matrix product over the axis: faster than sums of slices, without intermediate tensors.
    """
    _, *shape = ops.shape(x)
    before, length, inner = shape[: axis - 1], shape[axis - 1], shape[axis:]
    matrix = ops.convert_to_tensor(input_matrix(length), x.dtype)
    # (n, ..., length, ...) -> (outer, length, inner) -> (outer, 6 * tiles, inner)
    x = ops.matmul(matrix, ops.reshape(x, (-1, length, math.prod(inner))))
    parts = ops.split(x, len(KERNELS), axis=1)
    return [ops.reshape(part, (-1, *before, part.shape[1], *inner)) for part in parts]


def input_matrix(length):
    """`(6 * tiles, length)`: the input transform of each of the six products, tile by tile."""
    tiles = -(-length // OUTPUTS)
    # The first tile begins with one padded position, the last may end beyond the axis.
    matrix = np.zeros((len(KERNELS), tiles, 1 + OUTPUTS * (tiles + 1)), "float32")
    for tile in range(tiles):
        start = OUTPUTS * tile
        matrix[:, tile, start : start + len(KERNELS)] = INPUTS
    return matrix[:, :, 1 : 1 + length].reshape(-1, length)


def convolve(x, kernel):
    """A centered convolution; frame by frame for clips if the kernel does not extend over time."""
    kernel = ops.convert_to_tensor(kernel)
    axes = len(kernel.shape) - 2
    if len(x.shape) == axes + 2:
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    _, frames, *image = ops.shape(x)
    x = ops.reshape(x, (-1, *image))  # (n, t, h, w, c) -> (n*t, h, w, c)
    x = ops.conv(x, kernel, padding="same", data_format="channels_last")
    return ops.reshape(x, (-1, frames, *image[:-1], kernel.shape[-1]))


def output_of(parts, axis, length):
    """The convolution's output, of `length` along `axis`, from the six products."""
    _, *shape = ops.shape(parts[0])
    tiles, inner = shape[axis - 1], shape[axis:]
    m = [ops.reshape(part, (-1, tiles, math.prod(inner))) for part in parts]
    inner_sum, inner_difference = m[1] + m[2], m[1] - m[2]
    outer_sum, outer_difference = m[3] + m[4], m[3] - m[4]
    outputs = [
        m[0] + inner_sum + outer_sum,
        inner_difference + 2 * outer_difference,
        inner_sum + 4 * outer_sum,
        inner_difference + 8 * outer_difference + m[5],
    ]
    # (outer, tiles, 4, inner) -> (outer, 4 * tiles, inner)
    x = ops.reshape(ops.stack(outputs, axis=2), (-1, OUTPUTS * tiles, math.prod(inner)))
    return ops.reshape(x[:, :length], (-1, *shape[: axis - 1], length, *inner))
