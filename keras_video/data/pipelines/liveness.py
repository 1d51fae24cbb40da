"""Whether the processes of a data service are alive, and whether all that was asked for came.

The client of `tf.data.service` waits for ever for a worker or dispatcher that is gone, and what a
worker was at work on is lost with it. So the processes are asked every few seconds, beside the
dataset that waits for them, and the examples are counted.
"""

import itertools
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.internal.decoder import _DecodeVarint

from .python_calls import numpy_function

# Time between two questions, and for an answer.
_ASK_SECONDS = 5
# A process that is started again at the same address, or a network that stumbles, has so long.
_SILENT_SECONDS = 25


class DataServiceError(RuntimeError):
    """A process of a data service is gone, or examples were lost with one."""


def watched(dataset, service, expected):
    """A dataset of a data service that ends with an error where it would wait for ever.

    Args:
        dataset: what the service distributes.
        service: address of the dispatcher, `"grpc://host:port"`.
        expected: number of elements of the dataset.

    Raises:
        DataServiceError: while iterating, wrapped by TensorFlow.
    """
    runs, numbers = {}, itertools.count()

    def begin(_):
        number = next(numbers)
        runs[number] = _Watch(service.removeprefix("grpc://"))
        return np.int64(number)

    def wait(number):
        # There is none when the examples ended between two of these calls.
        watch = runs.get(int(number))
        return np.bool_(watch is not None and watch.wait())

    def finish(number, received):
        runs.pop(int(number)).end()
        if received != expected:
            raise DataServiceError(
                f"{service}: received {received} of {expected} examples; the others were lost "
                "with a worker that ended or was started again"
            )
        return np.False_

    def start(number):
        # Stateful calls: they run in each iteration.
        number = numpy_function(begin, [number], tf.int64)
        number.set_shape([])
        examples = _counted(dataset, lambda received: _flag(finish, [number, received]))
        alive = tf.data.Dataset.counter().map(lambda _: _flag(wait, [number]))
        # A dataset without elements, of the type of the other.
        nothing = dataset.take(0)
        alive = alive.take_while(lambda going_on: going_on).flat_map(lambda _: nothing)

        def side(index):
            # take(-1) takes all.
            return examples.take(-1 + index).concatenate(alive.take(-index))

        return tf.data.Dataset.range(2).interleave(
            side, cycle_length=2, num_parallel_calls=2, deterministic=False
        )

    return tf.data.Dataset.range(1).flat_map(start)


def _counted(dataset, finish):
    """The dataset, at whose end `finish` is called with the number of its elements."""
    spec = dataset.element_spec
    last = tf.nest.map_structure(
        lambda one: tf.zeros([size or 0 for size in one.shape], one.dtype), spec
    )
    marked = dataset.map(lambda *element: (True, element))
    marked = marked.concatenate(tf.data.Dataset.from_tensors((False, last)))

    def count(received, element):
        given = element[0]
        given = tf.cond(given, lambda: given, lambda: finish(received))
        return received + 1, (given, element[1])

    counted = marked.scan(np.int64(0), count)
    return counted.filter(lambda given, element: given).map(lambda given, element: element)


def _flag(function, arguments):
    value = numpy_function(function, arguments, tf.bool)
    value.set_shape([])
    return value


class _Watch:
    """The processes of a service during one iteration."""

    def __init__(self, dispatcher):
        self._dispatcher = dispatcher
        self._over = threading.Event()
        self._answered = {}
        self._next = 0.0
        self._workers = []

    def end(self):
        self._over.set()

    def wait(self):
        """Waits for a moment and asks the processes when it is time; whether to go on.

        Short, so that an iterator that is given up has not to wait long for it.
        """
        if self._over.wait(0.5):
            return False
        if time.monotonic() >= self._next:
            self._ask()
            self._next = time.monotonic() + _ASK_SECONDS
        return True

    def _ask(self):
        workers = _answer(self._dispatcher, "DispatcherService/GetWorkers")
        self._check("dispatcher", self._dispatcher, workers is not None)
        if workers is not None:
            self._workers = _addresses(workers)
        for worker in self._workers:
            answer = _answer(worker, "WorkerService/GetWorkerTasks")
            self._check("worker", worker, answer is not None)

    def _check(self, kind, address, answered):
        now = time.monotonic()
        last = self._answered.setdefault(address, now)
        if answered:
            self._answered[address] = now
        elif now - last > _SILENT_SECONDS:
            raise DataServiceError(
                f"the {kind} of the data service at {address} has not answered for "
                f"{now - last:.0f} s; examples that it was at work on are lost. Start the service "
                "again, and the training from its last epoch"
            )


def _answer(address, method):
    """What a process answers to an empty request, or None."""
    with grpc.insecure_channel(address) as channel:
        try:
            return channel.unary_unary(f"/tensorflow.data.{method}")(b"", timeout=_ASK_SECONDS)
        except grpc.RpcError:
            return None


def _addresses(answer):
    """The addresses in a GetWorkersResponse: field 1 of each message in its field 1."""
    workers = (value for field, value in _fields(answer) if field == 1)
    return [value.decode() for one in workers for field, value in _fields(one) if field == 1]


def _fields(message):
    """(number, bytes) of the fields of a protocol buffer that have a length."""
    place = 0
    while place < len(message):
        key, place = _DecodeVarint(message, place)
        length, place = _DecodeVarint(message, place)
        if key & 7 != 2:
            continue  # a number: it was read as if it were a length
        yield key >> 3, message[place : place + length]
        place += length
