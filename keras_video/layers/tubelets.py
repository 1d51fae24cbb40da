"""Tubelet tokens (patches over a few frames) of clips, and their positions."""

import keras
import numpy as np
from keras import ops

from keras_video.layers.conv3d import Conv3D
from keras_video.layers.dense import small_normal
from keras_video.layers.position_tables import resize_table, sine_table


def tubelet_grid(clip, tubelet_size):
    """`(times, rows, columns)` of tubelets in a clip.

    Args:
        clip: tensor `(batch, frames, height, width, channels)`.
        tubelet_size: `(frames, height, width)` of a tubelet.

    Raises:
        ValueError: if an axis is unknown, or not a multiple of the tubelet's.
    """
    sizes = clip.shape[1:4]
    if any(size is None or size % part for size, part in zip(sizes, tubelet_size, strict=True)):
        raise ValueError(
            f"input_shape={tuple(clip.shape[1:])}: frames, height and width must be known, and "
            f"multiples of the tubelet's {tuple(tubelet_size)}."
        )
    return tuple(size // part for size, part in zip(sizes, tubelet_size, strict=True))


def tubelet_embedding(clip, tubelet_size, width, *, name="patch_embed_projection"):
    """Tubelets, projected by one convolution: `(batch, times, rows, columns, width)`."""
    return Conv3D(
        width,
        tubelet_size,
        strides=tubelet_size,
        kernel_initializer=small_normal(),
        name=name,
    )(clip)


@keras.saving.register_keras_serializable("keras_video")
class SinePositions(keras.layers.Layer):
    """Tubelets as tokens, with fixed sines and cosines of their positions added.

    Input: `(batch, times, rows, columns, width)`, all but the batch size known. Output:
    `(batch, times * rows * columns, width)`. The sines are of the index of a token among all
    tokens, not of its time, row and column (`sine_table`).

    Args:
        table_grid: `(times, rows, columns)` of the table. Other numbers of rows and columns are
            interpolated from it (bicubic); the number of times must be the input's. `None` for a
            table of the input's grid.
    """

    def __init__(self, table_grid=None, **kwargs):
        super().__init__(**kwargs)
        self.table_grid = None if table_grid is None else tuple(table_grid)

    def build(self, input_shape):
        if self.table_grid is not None and self.table_grid[0] != input_shape[1]:
            raise ValueError(
                f"table_grid={self.table_grid}: the input has {input_shape[1]} times, and time is "
                "not interpolated."
            )
        super().build(input_shape)

    def call(self, x):
        grid, width = tuple(x.shape[1:4]), x.shape[-1]
        table = sine_table(int(np.prod(self.table_grid or grid)), width)
        if self.table_grid not in (None, grid):
            table = resize_table(table, self.table_grid, grid)
        x = ops.reshape(x, (-1, len(table), width))
        return x + ops.convert_to_tensor(table[None], dtype=x.dtype)

    def compute_output_shape(self, input_shape):
        batch, *grid, width = input_shape
        return (batch, int(np.prod(grid)), width)

    def get_config(self):
        return {**super().get_config(), "table_grid": self.table_grid}


@keras.saving.register_keras_serializable("keras_video")
class LearnedPositions(keras.layers.Layer):
    """Tubelets as tokens after a learned class token, learned positions added to all.

    Input: `(batch, times, rows, columns, width)`, all but the batch size known. Output:
    `(batch, 1 + times * rows * columns, width)`.
    """

    def build(self, input_shape):
        _, *self.grid, width = input_shape
        positions = 1 + int(np.prod(self.grid))
        self.cls_token = self.add_weight((1, 1, width), initializer="zeros", name="cls_token")
        self.pos_embed = self.add_weight(
            (1, positions, width), initializer=small_normal(), name="pos_embed"
        )
        super().build(input_shape)

    def call(self, x):
        width = x.shape[-1]
        x = ops.reshape(x, (-1, int(np.prod(self.grid)), width))
        class_token = ops.broadcast_to(self.cls_token, (ops.shape(x)[0], 1, width))
        return ops.concatenate([class_token, x], axis=1) + self.pos_embed

    def compute_output_shape(self, input_shape):
        batch, *grid, width = input_shape
        return (batch, 1 + int(np.prod(grid)), width)

    def fit_tensor(self, name, array):
        """A checkpoint's `array`, with positions of another grid interpolated.

        Its length determines its grid: 16 x 14 x 14 as in the published tables; otherwise the
        number of times of the input, or 16, and a square of rows and columns. Linear over time,
        bicubic over space.
        """
        if name != "pos_embed" or array.shape[1] == self.pos_embed.shape[1]:
            return array
        grid = _grid_of(array.shape[1] - 1, self.grid[0])
        if grid is None:
            return array
        table = resize_table(array[0, 1:], grid, tuple(self.grid))
        return np.concatenate([array[0, :1], table])[None]


PUBLISHED_GRID = (16, 14, 14)


def _grid_of(positions, times):
    """`(times, side, side)` of a table of the given number of positions, or `None`."""
    if positions == np.prod(PUBLISHED_GRID):
        return PUBLISHED_GRID
    for length in (times, PUBLISHED_GRID[0]):
        side = int(np.sqrt(positions // length))
        if side and length * side * side == positions:
            return (length, side, side)
    return None


@keras.saving.register_keras_serializable("keras_video")
class TokenMap(keras.layers.Layer):
    """Tokens as a feature map, `(batch, times, rows, columns, width)`.

    Input: tokens `(batch, tokens, width)` in the order time, row, column; a preceding class token
    is dropped.

    Args:
        times, rows, columns: tubelets of a clip along each axis.
    """

    def __init__(self, times, rows, columns, **kwargs):
        super().__init__(**kwargs)
        self.grid = (times, rows, columns)

    def call(self, x):
        others = x.shape[1] - int(np.prod(self.grid))
        if others:
            x = ops.split(x, [others], axis=1)[1]
        return ops.reshape(x, (-1, *self.grid, x.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.grid, input_shape[-1])

    def get_config(self):
        times, rows, columns = self.grid
        return {**super().get_config(), "times": times, "rows": rows, "columns": columns}
