"""Attention within shifted windows (Swin transformer, arXiv:2103.14030)."""

import keras
import numpy as np
from keras import layers, ops

# Added to the products of positions that must not see each other.
HIDDEN = -100.0


@keras.saving.register_keras_serializable("keras_video")
class WindowAttention(keras.layers.Layer):
    """Self-attention within windows of an image, with a learned bias per relative position.

    With a shift the image is rolled before it is cut into windows, and back after; positions that
    only meet because of that do not see each other. Sizes that windows do not divide are padded
    with zeros below and on the right. Along a side of one window nothing is shifted.

    Input and output: `(n, height, width, channels)`, height and width known.

    Args:
        heads: number of heads, a divisor of the channels.
        window: positions of a window along a side.
        shift: positions by which windows are shifted, less than `window`.
    """

    def __init__(self, heads, window=7, shift=0, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.window = window
        self.shift = shift

    def build(self, input_shape):
        _, height, width, channels = input_shape
        self.qkv = layers.Dense(3 * channels, dtype=self.dtype_policy, name="qkv")
        self.proj = layers.Dense(channels, dtype=self.dtype_policy, name="proj")
        self.qkv.build((None, channels))
        self.proj.build((None, channels))
        self.relative_position_bias_table = self.add_weight(
            shape=((2 * self.window - 1) ** 2, self.heads),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="relative_position_bias_table",
        )
        self.padded = tuple(-(-size // self.window) * self.window for size in (height, width))
        self.shifts = tuple(self.shift if size > self.window else 0 for size in (height, width))
        self.positions = relative_positions(self.window)
        self.mask = window_mask(self.padded, self.window, self.shifts)

    def call(self, x):
        _, height, width, channels = x.shape
        padding = [
            (0, full - size) for full, size in zip(self.padded, (height, width), strict=True)
        ]
        if self.padded != (height, width):
            x = ops.pad(x, [(0, 0), *padding, (0, 0)])
        if any(self.shifts):
            x = ops.roll(x, tuple(-shift for shift in self.shifts), axis=(1, 2))
        x = self.join(self.attend(self.cut(x)), channels)
        if any(self.shifts):
            x = ops.roll(x, self.shifts, axis=(1, 2))
        return x[:, :height, :width] if self.padded != (height, width) else x

    def cut(self, x):
        """An image as windows `(n, windows, positions, channels)`."""
        rows, columns = (size // self.window for size in self.padded)
        x = ops.reshape(x, (-1, rows, self.window, columns, self.window, x.shape[-1]))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, rows * columns, self.window**2, x.shape[-1]))

    def join(self, x, channels):
        """Windows as an image, the inverse of `cut`."""
        rows, columns = (size // self.window for size in self.padded)
        x = ops.reshape(x, (-1, rows, columns, self.window, self.window, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, *self.padded, channels))

    def attend(self, x):
        """Attention within each window `(n, windows, positions, channels)`."""
        _, windows, positions, channels = x.shape
        width = channels // self.heads
        x = ops.reshape(self.qkv(x), (-1, windows, positions, 3, self.heads, width))
        query, key, value = ops.unstack(ops.transpose(x, (3, 0, 1, 4, 2, 5)), 3)
        products = ops.matmul(query * width**-0.5, ops.transpose(key, (0, 1, 2, 4, 3)))
        bias = ops.take(self.relative_position_bias_table, self.positions.reshape(-1), axis=0)
        bias = ops.reshape(bias, (positions, positions, self.heads))
        products = products + ops.cast(ops.transpose(bias, (2, 0, 1)), products.dtype)
        if self.mask is not None:
            products = products + ops.cast(self.mask[:, None], products.dtype)
        x = ops.matmul(ops.softmax(products), value)  # (n, windows, heads, positions, width)
        x = ops.transpose(x, (0, 1, 3, 2, 4))
        return self.proj(ops.reshape(x, (-1, windows, positions, channels)))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"heads": self.heads, "window": self.window, "shift": self.shift}
        return {**super().get_config(), **config}


def relative_positions(window):
    """Row of the bias table for every pair of positions of a window: int `(p, p)`."""
    places = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij")).reshape(2, -1)
    rows, columns = places[:, :, None] - places[:, None] + window - 1
    return rows * (2 * window - 1) + columns


def window_mask(size, window, shifts):
    """What to add to the products within each window, float32 `(windows, p, p)`, or `None`."""
    if not any(shifts):
        return None
    regions = [np.zeros(length, int) for length in size]
    for region, shift in zip(regions, shifts, strict=True):
        if shift:
            region[-window:] = 1
            region[-shift:] = 2
    labels = 3 * regions[0][:, None] + regions[1][None]
    rows, columns = (length // window for length in size)
    labels = labels.reshape(rows, window, columns, window).transpose(0, 2, 1, 3)
    labels = labels.reshape(rows * columns, window**2)
    return np.where(labels[:, :, None] == labels[:, None], 0, HIDDEN).astype("float32")


@keras.saving.register_keras_serializable("keras_video")
class MergePatches(keras.layers.Layer):
    """Puts the four positions of every 2 x 2 square behind each other, column by column.

    Input: `(n, height, width, channels)`, both even. Output:
    `(n, height/2, width/2, 4 * channels)`.
    """

    def call(self, x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        x = ops.transpose(x, (0, 1, 3, 4, 2, 5))
        return ops.reshape(x, (-1, height // 2, width // 2, 4 * channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height // 2, width // 2, 4 * channels)
