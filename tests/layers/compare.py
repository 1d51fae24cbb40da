"""Comparison of tensors of any backend."""

import numpy as np
from keras import ops


def close(ours, theirs, tolerance):
    """Asserts that the largest difference is within `tolerance` of the largest value, or of 1."""
    ours = np.asarray(ops.convert_to_numpy(ours), "float64")
    theirs = np.asarray(ops.convert_to_numpy(theirs), "float64")
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * max(1, np.abs(theirs).max())
