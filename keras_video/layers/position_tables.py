"""Resizing of learned position tables, and fixed position tables, in NumPy."""

import math

import numpy as np

# Parameter of Keys' cubic convolution: PyTorch's value, with which such tables are usually resized.
SHARPNESS = -0.75


def resize_grid(table, grid):
    """Resizes positions of a square grid of patches by bicubic interpolation.

    Args:
        table: `(1, 1 + patches, width)`, a class token's position first.
        grid: `(rows, columns)` of the result.

    Returns:
        `(1, 1 + rows * columns, width)`; `table` itself if its patches do not form a square.
    """
    side = math.isqrt(table.shape[1] - 1)
    if side * side != table.shape[1] - 1 or not side:
        return table
    rows, columns = (cubic_weights(side, size) for size in grid)
    patches = table[0, 1:].reshape(side, side, -1).astype("float64")
    patches = np.einsum("ri,cj,ijw->rcw", rows, columns, patches, optimize=True)
    patches = patches.reshape(-1, table.shape[-1]).astype(table.dtype)
    return np.concatenate([table[0, :1], patches])[None]


def resize_frames(table, frames):
    """Resizes temporal positions `(1, times, width)` to `frames` by nearest neighbor."""
    nearest = np.arange(frames) * table.shape[1] // frames
    return table[:, nearest]


def cubic_weights(size, new_size):
    """The matrix `(new_size, size)` of cubic convolution between pixel centers, edges repeated."""
    centers = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    first = np.floor(centers).astype(int) - 1
    weights = np.zeros((new_size, size))
    for offset in range(4):
        position = first + offset
        columns = np.clip(position, 0, size - 1)
        np.add.at(weights, (np.arange(new_size), columns), cubic(np.abs(centers - position)))
    return weights


def cubic(distance):
    """Keys' cubic convolution kernel at distances of up to 2."""
    a, d = SHARPNESS, distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, far)


def sine_table(positions, width):
    """Sinusoidal positions `(positions, width)`, float32 (arXiv:1706.03762).

    Channels 2j and 2j + 1 are sine and cosine of `position / 10000 ** (2 * j / width)`.
    """
    channels = np.arange(width)
    angles = np.arange(positions)[:, None] / 10000.0 ** (2 * (channels // 2) / width)
    return np.where(channels % 2, np.cos(angles), np.sin(angles)).astype("float32")


def resize_table(table, grid, new_grid):
    """Resizes positions of a grid: linear over time, bicubic over rows and columns.

    Args:
        table: `(times * rows * columns, width)`.
        grid, new_grid: `(times, rows, columns)` of the table and of the result.
    """
    table, width = table.reshape(*grid, -1).astype("float64"), table.shape[-1]
    times = linear_weights(grid[0], new_grid[0])
    rows, columns = (cubic_weights(*sizes) for sizes in zip(grid[1:], new_grid[1:], strict=True))
    table = np.einsum("st,ri,cj,tijw->srcw", times, rows, columns, table, optimize=True)
    return table.reshape(-1, width).astype("float32")


def linear_weights(size, new_size):
    """The matrix `(new_size, size)` of linear interpolation between centers, edges repeated."""
    centers = np.clip((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0, size - 1)
    return np.clip(1 - np.abs(centers[:, None] - np.arange(size)), 0, None)


def rotary_table(grid, size):
    """Cosines and sines of V-JEPA 2's rotary embeddings, each `(positions, size)`, float32.

    A head has three bands of `2 * (size // 3 // 2)` channels, for time, row and column; the
    remaining channels are not rotated. Frequency j of a band of d channels is
    `10000 ** -(j / (d / 2))`. Published weights were trained with channel k of a band rotated by
    frequency `k % (d / 2)`, although adjacent channels form the pairs (arXiv:2506.09985).

    Args:
        grid: `(times, rows, columns)` of tokens.
        size: channels of a head.
    """
    half = size // 3 // 2
    frequencies = np.tile(10000.0 ** -(np.arange(half) / max(half, 1)), 2)
    positions = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"), -1).reshape(-1, 3)
    angles = np.zeros((len(positions), size))
    for axis in range(3):
        band = slice(2 * half * axis, 2 * half * (axis + 1))
        angles[:, band] = positions[:, axis, None] * frequencies
    return np.cos(angles).astype("float32"), np.sin(angles).astype("float32")
