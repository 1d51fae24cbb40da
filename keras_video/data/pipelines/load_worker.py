"""The program of a process that reads and transforms examples; see `load_workers.py`."""

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
    """What a reader notes in place of a `DecodeReport`: `(path, reason)`."""

    def add(self, path, reason):
        """Notes that `path` failed."""
        self.append((str(path), str(reason)))


def main(descriptor):
    """Answers questions on a socket until the other side closes it."""
    # Ctrl-C is for the process that loads for a model; it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with quiet_start():  # N processes would say it N times
        import tensorflow as tf
    # There are as many processes as cores.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    connection, line = socket.socket(fileno=descriptor), Connection(os.dup(descriptor))
    try:
        transform = transform_of(*pickle.loads(line.recv_bytes()))
        failures, memory = transform.reader.report, b""
        while True:
            example = line.recv()
            try:
                arrays, error = transform.load(*example), None
            except Exception as problem:
                arrays, error = None, sendable(problem)
            places, size = places_of(arrays or ())
            if size > len(memory):
                line.send(size)
                memory = received_memory(connection, size)
            leave_in(memory, arrays or (), places)
            line.send((None if arrays is None else places, list(failures), error))
            failures.clear()
    except (EOFError, OSError):
        pass  # the other side is gone


def transform_of(kind, fields, processing, training, repeats):
    """The `ExampleTransform` of a reader of this kind with these fields, and of a `Processing`."""
    from keras_video.data.pipelines.transforming import ExampleTransform

    reader = kind(**{**fields, "report": Failures()})
    return ExampleTransform(reader, processing.transform(training, repeats))


def received_memory(connection, size):
    """The memory that the other side shares next."""
    _, descriptors, *_ = socket.recv_fds(connection, 1, 1)
    if not descriptors:
        raise EOFError
    try:
        return mmap.mmap(descriptors[0], size)
    finally:
        os.close(descriptors[0])


def places_of(arrays):
    """`([(start, shape, dtype)], bytes)` of arrays that lie one after another in a memory."""
    places, size = [], 0
    for array in arrays:
        places.append((size, array.shape, array.dtype.str))
        size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return places, size


def leave_in(memory, arrays, places):
    """Copies arrays to their places in a memory."""
    for array, (start, shape, dtype) in zip(arrays, places, strict=True):
        np.ndarray(shape, dtype, memory, start)[...] = array


def sendable(error):
    """The error, or one like it that the other side can unpickle."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main(int(sys.argv[1]))
