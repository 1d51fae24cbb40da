"""Learned position tables for another number of places, in NumPy."""

import math

import numpy as np

# Keys' parameter of cubic convolution; PyTorch's value, with which such tables usually are resized.
SHARPNESS = -0.75


def resize_grid(table, grid):
    """Positions of a square grid of patches for another grid, by bicubic interpolation.

    Args:
        table: `(1, 1 + patches, width)`, a class token's position first.
        grid: `(rows, columns)` wanted.

    Returns:
        `(1, 1 + rows * columns, width)`; `table` itself where its patches form no square.
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
    """Times `(1, times, width)` for another number of frames, each the nearest of the table's."""
    nearest = np.arange(frames) * table.shape[1] // frames
    return table[:, nearest]


def cubic_weights(size, wanted):
    """The matrix `(wanted, size)` of cubic convolution between pixel centres, edges repeated."""
    centres = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    first = np.floor(centres).astype(int) - 1
    weights = np.zeros((wanted, size))
    for tap in range(4):
        place = first + tap
        columns = np.clip(place, 0, size - 1)
        np.add.at(weights, (np.arange(wanted), columns), cubic(np.abs(centres - place)))
    return weights


def linear_weights(size, wanted):
    """The matrix `(wanted, size)` of linear interpolation between pixel centers, edges repeated."""
    centers = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
    lower = np.minimum(np.floor(centers).astype(int), max(size - 2, 0))
    weights = np.zeros((wanted, size))
    share = centers - lower
    np.add.at(weights, (np.arange(wanted), lower), 1 - share)
    np.add.at(weights, (np.arange(wanted), np.minimum(lower + 1, size - 1)), share)
    return weights


def cubic(distance):
    """Keys' kernel at distances of up to 2."""
    a, d = SHARPNESS, distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, far)
