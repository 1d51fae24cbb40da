"""Attention over pooled maps of a clip (MViT, arXiv:2104.11227, and MViTv2, arXiv:2112.01526).

Tokens are `(batch, 1 + frames * rows * columns, width)`: the class token, then the patches frame by
frame and row by row.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from keras_video.layers.attention import attend_by_heads
from keras_video.layers.convolution import max_pool_clip
from keras_video.layers.dense import Dense, small_normal
from keras_video.layers.depthwise import DepthwiseConv3D
from keras_video.layers.position_tables import linear_weights
from keras_video.layers.temporal_kernels import strided_length
from keras_video.layers.tokens import split_class_token

TABLES = ("rel_pos_t", "rel_pos_h", "rel_pos_w")


@keras.saving.register_keras_serializable("keras_video")
class PoolingAttention(keras.layers.Layer):
    """Multi-head self-attention whose queries, keys and values are pooled maps.

    Every head's map is pooled by the same depthwise 3x3x3 convolution and normalized; the class
    token is normalized but not pooled. With `relative`, products of patches get a learned term per
    distance along time, height and width, and the pooled queries are added to the patches' output.

    Input: tokens `(batch, 1 + positions, width)` of a map of `size`. Output:
    `(batch, 1 + positions of the pooled map, width)`, every side of the map divided by its stride
    and rounded up.

    Args:
        width: output width, a multiple of `heads`.
        heads: number of heads.
        size: frames, rows and columns of the map.
        query_strides: strides of query pooling along these; `None` does not pool queries.
        key_strides: strides of key and value pooling.
        relative: whether to use relative positions.
        table_size: frames, rows and columns of the map that the distance tables are built for,
            `size` if not given. They are interpolated linearly to other lengths.
        epsilon: epsilon of the norms.

    Raises:
        ValueError: for a width that the heads do not divide.
    """

    def __init__(
        self,
        width,
        heads,
        size,
        query_strides=None,
        key_strides=(1, 1, 1),
        relative=True,
        table_size=None,
        epsilon=1e-6,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if width % heads:
            raise ValueError(f"a width of {width} can not be divided among {heads} heads.")
        self.width = width
        self.heads = heads
        self.size = tuple(size)
        self.query_strides = query_strides and tuple(query_strides)
        self.key_strides = tuple(key_strides)
        self.relative = relative
        self.table_size = tuple(table_size or size)
        self.epsilon = epsilon

    def build(self, input_shape):
        shared = {"kernel_initializer": small_normal(), "dtype": self.dtype_policy}
        self.qkv = Dense(3 * self.width, name="qkv", **shared)
        self.proj = Dense(self.width, name="proj", **shared)
        self.qkv.build(input_shape)
        self.proj.build((None, None, self.width))
        strides = {"q": self.query_strides, "k": self.key_strides, "v": self.key_strides}
        self.pools, self.norms = {}, {}
        head = self.width // self.heads
        for name, stride in strides.items():
            if stride is not None:
                pool = DepthwiseConv3D(3, stride, dtype=self.dtype_policy, name=f"pool_{name}")
                norm = layers.LayerNormalization(
                    epsilon=self.epsilon, dtype=self.dtype_policy, name=f"norm_{name}"
                )
                pool.build((None, *self.size, head))
                norm.build((None, None, None, head))
                self.pools[name], self.norms[name] = pool, norm
        self.query_size = pooled_size(self.size, self.query_strides)
        self.key_size = pooled_size(self.size, self.key_strides)
        self.tables = {}
        if self.relative:
            for name, rows in zip(TABLES, self.table_rows(), strict=True):
                self.tables[name] = self.add_weight((rows, head), small_normal(), name=name)
            self.key_positions = one_hot_positions(self.key_size)
        super().build(input_shape)

    def table_rows(self):
        """Number of rows of the distance tables for time, height and width."""
        frames, *sides = self.table_size
        strides = zip(self.query_strides or (1, 1, 1), self.key_strides, strict=True)
        smaller = [min(pair) for pair in strides][1:]
        return [2 * frames - 1] + [
            2 * (side // stride) - 1 for side, stride in zip(sides, smaller, strict=True)
        ]

    def call(self, x):
        query, key, value = (
            self.pool(name, part) for name, part in zip("qkv", self.project(x), strict=True)
        )
        scaled = query * (self.width // self.heads) ** -0.5
        if self.relative:
            scaled = ops.concatenate([scaled, self.distances(query)], axis=-1)
            positions = ops.cast(self.key_positions, key.dtype)[None, None]
            shape = (*ops.shape(key)[:2], *self.key_positions.shape)
            key = ops.concatenate([key, ops.broadcast_to(positions, shape)], axis=-1)
        x = attend_by_heads(scaled, key, value)
        if self.relative:
            class_token, _ = ops.split(query, [1], axis=2)
            _, patches = ops.split(query, [1], axis=2)
            x = x + ops.concatenate([ops.zeros_like(class_token), patches], axis=2)
        x = ops.transpose(x, (0, 2, 1, 3))
        return self.proj(ops.reshape(x, (-1, x.shape[1], self.width)))

    def project(self, x):
        """Queries, keys and values, each `(batch, heads, tokens, width of a head)`."""
        head = self.width // self.heads
        x = ops.reshape(self.qkv(x), (-1, x.shape[1], 3, self.heads, head))
        return ops.unstack(ops.transpose(x, (2, 0, 3, 1, 4)), 3, axis=0)

    def pool(self, name, x):
        """Queries, keys or values with patches pooled and all tokens normalized."""
        if name not in self.pools:
            return x
        class_token, patches = ops.split(x, [1], axis=2)
        patches = ops.reshape(patches, (-1, *self.size, x.shape[-1]))
        patches = self.pools[name](patches)
        count = math.prod(patches.shape[1:4])
        patches = ops.reshape(patches, (-1, self.heads, count, x.shape[-1]))
        return self.norms[name](ops.concatenate([class_token, patches], axis=2))

    def distances(self, query):
        """Each query's terms for keys of every frame, row and column, concatenated.

        `(batch, heads, 1 + queries, frames + rows + columns of the keys)`, 0 for the class token.
        """
        _, patches = ops.split(query, [1], axis=2)
        patches = ops.reshape(patches, (-1, self.heads, *self.query_size, patches.shape[-1]))
        terms = []
        for axis, name in enumerate(TABLES):
            queries, keys = self.query_size[axis], self.key_size[axis]
            table = resized_rows(self.tables[name], 2 * max(queries, keys) - 1)
            index = distance_rows(queries, keys)
            table = ops.reshape(ops.take(table, index.reshape(-1), axis=0), (*index.shape, -1))
            letter = "thw"[axis]
            table = ops.cast(table, patches.dtype)
            terms.append(ops.einsum(f"nithwc,{letter}kc->nithwk", patches, table))
        terms = ops.concatenate(terms, axis=-1)
        terms = ops.reshape(terms, (-1, self.heads, math.prod(self.query_size), terms.shape[-1]))
        return ops.pad(terms, ((0, 0), (0, 0), (1, 0), (0, 0)))

    def fit_tensor(self, name, array):
        """A checkpoint's distance table, interpolated to this layer's length."""
        rows = dict(zip(TABLES, self.table_rows(), strict=True)) if self.relative else {}
        if name not in rows or array.ndim != 2 or array.shape[0] == rows[name]:
            return array
        weights = linear_weights(array.shape[0], rows[name])
        return (weights @ array.astype("float64")).astype(array.dtype)

    def compute_output_shape(self, input_shape):
        size = pooled_size(self.size, self.query_strides)
        return (input_shape[0], 1 + math.prod(size), self.width)

    def get_config(self):
        config = {
            "width": self.width,
            "heads": self.heads,
            "size": self.size,
            "query_strides": self.query_strides,
            "key_strides": self.key_strides,
            "relative": self.relative,
            "table_size": self.table_size,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class PoolTokens(keras.layers.Layer):
    """Max pooling of the patches; the class token is unchanged.

    Along an axis with a stride above 1 the window is one position longer than the stride, and the
    map is padded on both sides. Input and output: tokens, see `PoolingAttention`.

    Args:
        size: frames, rows and columns of the map.
        strides: strides along these.
    """

    def __init__(self, size, strides, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)
        self.strides = tuple(strides)

    def call(self, x):
        class_token, patches = split_class_token(x)
        patches = ops.reshape(patches, (-1, *self.size, x.shape[-1]))
        window = tuple(stride + 1 if stride > 1 else 1 for stride in self.strides)
        padding = [(length // 2, length // 2) for length in window]
        lowest = -math.inf if keras.backend.is_float_dtype(patches.dtype) else 0
        patches = ops.pad(patches, [(0, 0), *padding, (0, 0)], constant_values=lowest)
        patches = max_pool_clip(patches, window, self.strides)
        count = math.prod(pooled_size(self.size, self.strides))
        patches = ops.reshape(patches, (-1, count, x.shape[-1]))
        return ops.concatenate([class_token, patches], axis=1)

    def compute_output_shape(self, input_shape):
        batch, _, width = input_shape
        return (batch, 1 + math.prod(pooled_size(self.size, self.strides)), width)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "strides": self.strides}


def pooled_size(size, strides):
    """The sides of a map after pooling."""
    return tuple(map(strided_length, size, strides or (1, 1, 1)))


def one_hot_positions(size):
    """One-hot frame, row and column of every key, `(1 + keys, sum of the sides)`, float32.

    All zeros for the class token. A product with it broadcasts per-axis terms to the keys.
    """
    indices = np.indices(size).reshape(3, -1)
    sides = [
        np.eye(length, dtype="float32")[index] for length, index in zip(size, indices, strict=True)
    ]
    return np.pad(np.concatenate(sides, axis=1), ((1, 0), (0, 0)))


def distance_rows(queries, keys):
    """The row of a table of `2 * max - 1` distances for every pair, int `(queries, keys)`.

    Positions of the shorter side are scaled to the coordinates of the longer one.
    """
    rows = np.arange(queries, dtype="float32")[:, None] * np.float32(max(keys / queries, 1))
    columns = np.arange(keys, dtype="float32")[None] * np.float32(max(queries / keys, 1))
    return (rows - columns + np.float32((keys - 1) * max(queries / keys, 1))).astype(int)


def resized_rows(table, rows):
    """A table interpolated linearly to a number of rows."""
    if table.shape[0] == rows:
        return ops.convert_to_tensor(table)
    weights = linear_weights(table.shape[0], rows).astype("float32")
    return ops.matmul(ops.cast(weights, table.dtype), table)
