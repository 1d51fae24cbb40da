"""Arrays whose memory NumPy and TensorFlow share.

Copying whole clips is slow, and most copies hold the GIL, for which other readers wait.
"""

import math

import numpy as np

# TensorFlow shares the memory of arrays aligned to this many bytes, and copies others.
ALIGNMENT = 64


def aligned_empty(shape, dtype=np.uint8):
    """An uninitialized array whose memory TensorFlow can use without copying."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def as_tensor(array):
    """The array as a tensor on the CPU: the same memory if possible, otherwise a copy.

    Later writes to the array may change the tensor.
    """
    import tensorflow as tf  # takes seconds, and reading videos does not need it

    array = np.asarray(array)
    fits = array.flags.c_contiguous and array.flags.writeable and array.dtype.kind in "uif"
    if fits and array.size and array.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(array)


def as_array(tensor):
    """A CPU tensor as a read-only array in the same memory."""
    return np.asarray(tensor)  # not `.numpy()`, which copies
