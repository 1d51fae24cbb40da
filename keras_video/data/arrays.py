"""Arrays whose memory NumPy and TensorFlow share.

Copies of whole clips take long, and most hold Python's lock, for which other readers wait.
"""

import math

import numpy as np

# TensorFlow takes over arrays that begin at a multiple of so many bytes, and copies others.
ALIGNMENT = 64


def aligned_empty(shape, dtype=np.uint8):
    """An array whose memory TensorFlow can use as it is, without copying it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def as_tensor(array):
    """The array as a tensor on the CPU: the same memory where that can be, else a copy.

    Who writes to the array afterwards may write to the tensor.
    """
    import tensorflow as tf  # takes seconds, and videos are read without it too

    array = np.asarray(array)
    fits = array.flags.c_contiguous and array.flags.writeable and array.dtype.kind in "uif"
    if fits and array.size and array.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(array)


def as_array(tensor):
    """A tensor of the CPU as an array in the same memory, which can only be read."""
    return np.asarray(tensor)  # not `.numpy()`, which copies
