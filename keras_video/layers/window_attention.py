"""Attention within shifted windows (Swin transformer, arXiv:2103.14030), of images and clips."""

import math

import keras
import numpy as np
from keras import ops

from keras_video.layers.dense import Dense

# Added to the products of positions that must not attend to each other.
MASK_VALUE = -100.0


@keras.saving.register_keras_serializable("keras_video")
class WindowAttention(keras.layers.Layer):
    """Self-attention within windows of an image, with a learned bias per relative position.

    With a shift the image is rolled before it is cut into windows, and rolled back after; positions
    that share a window only because of that do not attend to each other. Sizes that windows do not
    divide are padded with zeros at the bottom and right. A side of one window is not shifted.

    Input and output: `(n, height, width, channels)`, height and width known.

    Args:
        heads: number of heads, a divisor of the channels.
        window: positions per side of a window.
        shift: positions by which windows are shifted, less than `window`.
    """

    def __init__(self, heads, window=7, shift=0, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.window = window
        self.shift = shift

    def build(self, input_shape):
        _, *sizes, channels = input_shape
        if channels % self.heads:
            raise ValueError(f"{channels} channels can not be divided among {self.heads} heads.")
        self.qkv = self.dense(3 * channels, "qkv")
        self.proj = self.dense(channels, "proj")
        self.qkv.build((None, channels))
        self.proj.build((None, channels))
        full = per_side(self.window, len(sizes))
        self.relative_position_bias_table = self.add_weight(
            shape=(math.prod(2 * side - 1 for side in full), self.heads),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="relative_position_bias_table",
        )
        self.box = self.box_within(sizes, full)
        pairs = list(zip(sizes, self.box, strict=True))
        self.padded = tuple(-(-size // side) * side for size, side in pairs)
        shifts = per_side(self.shift, len(sizes))
        self.shifts = tuple(
            shift if size > side else 0 for shift, (size, side) in zip(shifts, pairs, strict=True)
        )
        places = math.prod(self.box)
        self.positions = relative_positions(full)[:places, :places]
        self.regions = window_regions(self.padded, self.box, self.shifts)

    def dense(self, width, name):
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        return Dense(width, kernel_initializer=normal, dtype=self.dtype_policy, name=name)

    def box_within(self, sizes, window):
        """The sides of the windows that are cut."""
        return window

    def call(self, x):
        _, *sizes, channels = x.shape
        padding = [(0, full - size) for full, size in zip(self.padded, sizes, strict=True)]
        if any(after for _, after in padding):
            x = ops.pad(x, [(0, 0), *padding, (0, 0)])
        if any(self.shifts):
            x = rolled(x, [-shift for shift in self.shifts])
        x = self.join(self.attend(self.cut(x)), channels)
        if any(self.shifts):
            x = rolled(x, self.shifts)
        return x[(slice(None), *(slice(size) for size in sizes))]

    def cut(self, x):
        """An image or a clip as windows `(n, windows, positions, channels)`."""
        *times, (rows, columns) = self._halves()
        channels = x.shape[-1]
        # (n * t, h, w, c) -> (n * t, windows, positions * c); LiteRT transposes at most six axes.
        x = ops.reshape(x, (-1, *rows, *columns, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        for count, side in times:
            x = ops.reshape(
                x, (-1, count, side, rows[0] * columns[0], rows[1] * columns[1] * channels)
            )
            x = ops.transpose(x, (0, 1, 3, 2, 4))
        return ops.reshape(x, (-1, *self._windows(), channels))

    def join(self, x, channels):
        """Windows as an image or a clip, the inverse of `cut`."""
        *times, (rows, columns) = self._halves()
        for count, side in times:
            x = ops.reshape(
                x, (-1, count, rows[0] * columns[0], side, rows[1] * columns[1] * channels)
            )
            x = ops.transpose(x, (0, 1, 3, 2, 4))
        x = ops.reshape(x, (-1, rows[0], columns[0], rows[1], columns[1], channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, *self.padded, channels))

    def _halves(self):
        """Windows and positions per window: along time, if there is time; of the image."""
        *times, rows, columns = (
            (size // side, side) for size, side in zip(self.padded, self.box, strict=True)
        )
        return *times, (rows, columns)

    def _windows(self):
        """Number of windows, and of positions per window."""
        counts = (size // side for size, side in zip(self.padded, self.box, strict=True))
        return math.prod(counts), math.prod(self.box)

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
        if self.regions is not None:
            products = products + ops.cast(self._mask()[:, None], products.dtype)
        x = ops.matmul(ops.softmax(products), value)  # (n, windows, heads, positions, width)
        x = ops.transpose(x, (0, 1, 3, 2, 4))
        return self.proj(ops.reshape(x, (-1, windows, positions, channels)))

    def _mask(self):
        """The additive mask of the products in each window: `(windows, positions, positions)`.

        Computed, as a constant would be larger than the weights: runtimes store it several times.
        """
        regions = ops.convert_to_tensor(self.regions, "int32")
        return ops.where(ops.equal(regions[:, :, None], regions[:, None]), 0.0, MASK_VALUE)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"heads": self.heads, "window": self.window, "shift": self.shift}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class WindowAttention3D(WindowAttention):
    """Self-attention within windows of a clip (Video Swin transformer, arXiv:2106.13230).

    As `WindowAttention`, but along a side that is not longer than the window, the window shrinks to
    the side. Relative positions are then the top left part, of the smaller window's size, of the
    full window's position matrix. That is the geometry of the smaller window if only time is short;
    if height or width is, it differs, but published networks use it.

    Input and output: `(n, frames, height, width, channels)`, all but the batch size known.

    Args:
        heads: number of heads, a divisor of the channels.
        window: positions of a window along time, height and width.
        shift: positions by which windows are shifted along these, less than `window`.

    Raises:
        ValueError: for channels that the heads do not divide.
    """

    def __init__(self, heads, window=(8, 7, 7), shift=(0, 0, 0), **kwargs):
        super().__init__(heads, tuple(window), tuple(shift), **kwargs)

    def box_within(self, sizes, window):
        return tuple(map(min, sizes, window))


def rolled(x, shifts):
    """`x` with its axes after the first rolled; by concatenation, as LiteRT has no roll."""
    for axis, shift in enumerate(shifts, 1):
        after = -shift % x.shape[axis]
        if after:
            first, last = ops.split(x, [after], axis=axis)
            x = ops.concatenate([last, first], axis=axis)
    return x


def per_side(value, rank):
    """One number for each of `rank` sides."""
    return (value,) * rank if isinstance(value, int) else tuple(value)


def relative_positions(window):
    """Row of the bias table for every pair of positions of a window: int `(p, p)`."""
    sides = [np.arange(side) for side in window]
    places = np.stack(np.meshgrid(*sides, indexing="ij")).reshape(len(window), -1)
    offsets = places[:, :, None] - places[:, None]
    return np.ravel_multi_index(
        [offset + side - 1 for offset, side in zip(offsets, window, strict=True)],
        [2 * side - 1 for side in window],
    )  # fmt: skip


def window_regions(size, window, shifts):
    """Region number of every position of a window: int `(windows, p)`, or `None`.

    Args:
        size: sides of the input, multiples of the window's.
        window: sides of a window.
        shifts: positions by which each side is shifted.
    """
    if not any(shifts):
        return None
    labels = np.zeros(size, int)
    sides = zip(size, window, shifts, strict=True)
    for axis, (length, side, shift) in enumerate(sides):
        region = np.zeros(length, int)
        if shift:
            region[-side:] = 1
            region[-shift:] = 2
        labels = 3 * labels + region.reshape([-1 if a == axis else 1 for a in range(len(size))])
    rank = len(size)
    counts = [length // side for length, side in zip(size, window, strict=True)]
    pairs = [length for pair in zip(counts, window, strict=True) for length in pair]
    labels = labels.reshape(pairs).transpose(*range(0, 2 * rank, 2), *range(1, 2 * rank, 2))
    return labels.reshape(math.prod(counts), math.prod(window))


@keras.saving.register_keras_serializable("keras_video")
class MergePatches(keras.layers.Layer):
    """Concatenates the four positions of every 2 x 2 square, column by column.

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


@keras.saving.register_keras_serializable("keras_video")
class MergeFramePatches(MergePatches):
    """As `MergePatches`, in every frame of a clip; odd sizes are padded with zeros at the end.

    Input: `(n, frames, height, width, channels)`, all but the batch size known. Output:
    `(n, frames, ceil(height/2), ceil(width/2), 4 * channels)`.
    """

    def call(self, x):
        _, frames, height, width, channels = x.shape
        if height % 2 or width % 2:
            x = ops.pad(x, [(0, 0), (0, 0), (0, height % 2), (0, width % 2), (0, 0)])
        x = super().call(ops.reshape(x, (-1, *x.shape[2:])))
        return ops.reshape(x, (-1, frames, *x.shape[1:]))

    def compute_output_shape(self, input_shape):
        batch, frames, height, width, channels = input_shape
        return (batch, frames, -(-height // 2), -(-width // 2), 4 * channels)
