"""The program of a process that reads examples for a `WorkerReader`; see `read_workers.py`."""

import mmap
import os
import pickle
import signal
import socket
import sys
from multiprocessing.connection import Connection

import numpy as np
import tensorflow as tf

from keras_video.data.arrays import ALIGNMENT


class Failures(list):
    """What a reader notes in place of a `DecodeReport`: `(path, reason)`."""

    def add(self, path, reason):
        """Notes that `path` failed."""
        self.append((str(path), str(reason)))


def main(descriptor):
    """Answers questions on a socket until the other side closes it."""
    # Ctrl-C is for the process that reads for a model; it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # There are as many processes as cores.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    connection, line = socket.socket(fileno=descriptor), Connection(os.dup(descriptor))
    try:
        kind, fields = pickle.loads(line.recv_bytes())
        reader = kind(**{**fields, "report": Failures()})
        memory = b""
        while True:
            arguments = line.recv()
            try:
                example, error = reader.read(*arguments), None
            except Exception as problem:
                example, error = None, sendable(problem)
            if example is not None:
                places, size = places_of(example.frames)
                if size > len(memory):
                    line.send(size)
                    memory = received_memory(connection, size)
                example = left_in(memory, example, places)
            line.send((example, list(reader.report), error))
            reader.report.clear()
    except (EOFError, OSError):
        pass  # the other side is gone


def received_memory(connection, size):
    """The memory that the other side shares next."""
    _, descriptors, *_ = socket.recv_fds(connection, 1, 1)
    if not descriptors:
        raise EOFError
    try:
        return mmap.mmap(descriptors[0], size)
    finally:
        os.close(descriptors[0])


def places_of(frames):
    """`({key: (start, shape, dtype)}, bytes)` of a dictionary of arrays, or one of key `None`."""
    arrays = frames if isinstance(frames, dict) else {None: frames}
    places, size = {}, 0
    for key, array in arrays.items():
        places[key] = (size, array.shape, array.dtype.str)
        size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return places, max(size, 1)


def left_in(memory, example, places):
    """The example with its arrays in the memory, and their places in the example."""
    arrays = example.frames if isinstance(example.frames, dict) else {None: example.frames}
    for key, (start, shape, dtype) in places.items():
        np.ndarray(shape, dtype, memory, start)[...] = arrays[key]
    return example._replace(frames=places)


def sendable(error):
    """The error, or one like it that the other side can unpickle."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main(int(sys.argv[1]))
