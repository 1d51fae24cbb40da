"""The main program of a process that reads and transforms examples; see `load_workers.py`."""

import mmap
import os
import pickle
import signal
import socket
import sys
from multiprocessing.connection import Connection

import numpy as np

from keras_video.data.arrays import ALIGNMENT
from keras_video.quiet import quiet_start


class Failures(list):
    """Collects `(path, reason)` of failures; replaces the `DecodeReport` of a reader."""

    def add(self, path, reason):
        """Adds a failure of `path`."""
        self.append((str(path), str(reason)))


def main(descriptor):
    """Answers requests on a socket until the parent closes it."""
    # Ctrl-C is handled by the parent process, which closes the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with quiet_start():  # avoids one message per process
        import tensorflow as tf
    # There is one process per core.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    channel, connection = socket.socket(fileno=descriptor), Connection(os.dup(descriptor))
    try:
        transform = build_transform(*pickle.loads(connection.recv_bytes()))
        failures, memory = transform.reader.report, b""
        while True:
            example = connection.recv()
            try:
                arrays, error = transform.load(*example), None
            except Exception as problem:
                arrays, error = None, sendable(problem)
            layout, size = memory_layout(arrays or ())
            if size > len(memory):
                connection.send(size)
                memory = receive_memory(channel, size)
            copy_arrays(memory, arrays or (), layout)
            connection.send((None if arrays is None else layout, list(failures), error))
            failures.clear()
    except (EOFError, OSError):
        pass  # the parent is gone


def build_transform(reader_type, fields, processing, training, repeats):
    """The `ExampleTransform` of a reader, given as its type and fields, and a `Processing`."""
    from keras_video.data.pipelines.transforming import ExampleTransform

    reader = reader_type(**{**fields, "report": Failures()})
    return ExampleTransform(reader, processing.transform(training, repeats))


def receive_memory(channel, size):
    """Receives shared memory from the parent."""
    _, descriptors, *_ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        raise EOFError
    try:
        return mmap.mmap(descriptors[0], size)
    finally:
        os.close(descriptors[0])


def memory_layout(arrays):
    """`([(start, shape, dtype)], bytes)` of arrays stored contiguously in memory."""
    layout, size = [], 0
    for array in arrays:
        layout.append((size, array.shape, array.dtype.str))
        size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return layout, size


def copy_arrays(memory, arrays, layout):
    """Copies arrays to shared memory."""
    for array, (start, shape, dtype) in zip(arrays, layout, strict=True):
        np.ndarray(shape, dtype, memory, start)[...] = array


def sendable(error):
    """The error, or a similar one that the parent can unpickle."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main(int(sys.argv[1]))
