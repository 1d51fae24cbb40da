"""Separate learned spatial and temporal positions (MViT, arXiv:2104.11227)."""

import math

import keras
import numpy as np
from keras import ops

from keras_video.layers.dense import small_normal
from keras_video.layers.position_tables import linear_weights


@keras.saving.register_keras_serializable("keras_video")
class SeparateTokenEmbedding(keras.layers.Layer):
    """Prepends a learned class token to the patches of a clip, and adds learned positions.

    A patch gets the sum of its spatial and temporal position, the class token its own position.

    Input: `(batch, frames, rows, columns, width)`, all but the batch size known. Output:
    `(batch, 1 + frames * rows * columns, width)`.

    Args:
        positions: whether to add positions; `False` adds only the class token.
        table_size: frames, rows and columns that the positions are built for, those of the input if
            not given. They are interpolated linearly to other sizes.
    """

    def __init__(self, positions=True, table_size=None, **kwargs):
        super().__init__(**kwargs)
        self.positions = positions
        self.table_size = table_size and tuple(table_size)

    def build(self, input_shape):
        _, *self.size, width = input_shape
        self.grid = self.table_size or tuple(self.size)
        frames, rows, columns = self.grid
        self.cls_token = self.add_weight((1, 1, width), small_normal(), name="cls_token")
        if self.positions:
            lengths = {"spatial": rows * columns, "temporal": frames, "class": 1}
            self.pos_embed = {
                name: self.add_weight(
                    (1, length, width), small_normal(), name=f"pos_embed_{name}"
                )
                for name, length in lengths.items()
            }  # fmt: skip
        super().build(input_shape)

    def call(self, x):
        width = x.shape[-1]
        class_token = ops.convert_to_tensor(self.cls_token)
        x = ops.reshape(x, (-1, self.size[0], math.prod(self.size[1:]), width))
        if self.positions:
            class_token = class_token + self.pos_embed["class"]
            spatial, temporal = self.pos_embed["spatial"], self.pos_embed["temporal"]
            spatial = resized(spatial, grid_weights(self.grid[1:], self.size[1:]))
            temporal = resized(temporal, linear_weights(self.grid[0], self.size[0]))
            x = x + ops.expand_dims(spatial, 1) + ops.expand_dims(temporal, 2)
        x = ops.reshape(x, (-1, math.prod(self.size), width))
        class_token = ops.broadcast_to(class_token, (ops.shape(x)[0], 1, width))
        return ops.concatenate([class_token, x], axis=1)

    def fit_tensor(self, name, array):
        """A checkpoint's positions resized to this layer's; spatial ones must form a square."""
        if not self.positions or array.ndim != 3:
            return array
        if name == "pos_embed_temporal" and array.shape[1] != self.grid[0]:
            weights = linear_weights(array.shape[1], self.grid[0])
        elif name == "pos_embed_spatial" and array.shape[1] != math.prod(self.grid[1:]):
            side = math.isqrt(array.shape[1])
            if side * side != array.shape[1]:
                return array
            weights = grid_weights((side, side), self.grid[1:])
        else:
            return array
        return (weights @ array.astype("float64")).astype(array.dtype)

    def compute_output_shape(self, input_shape):
        batch, *size, width = input_shape
        return (batch, 1 + math.prod(size), width)

    def get_config(self):
        config = {"positions": self.positions, "table_size": self.table_size}
        return {**super().get_config(), **config}


def grid_weights(grid, new_grid):
    """The matrix of linear interpolation from one grid to another, positions row by row."""
    return np.kron(*(linear_weights(*sizes) for sizes in zip(grid, new_grid, strict=True)))


def resized(table, weights):
    """A table `(1, positions, width)` times a matrix; unchanged if that is the identity."""
    if weights.shape[0] == weights.shape[1] and np.array_equal(weights, np.eye(len(weights))):
        return ops.convert_to_tensor(table)
    return ops.matmul(ops.cast(weights, table.dtype), table)
