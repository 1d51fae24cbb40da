"""Loading in worker processes: Python's lock limits how many cores one process can use.

Each process reads and transforms one example at a time and leaves the result in memory shared with
this process. It does not matter which process loads an example: examples depend only on the seed,
the epoch and their number.
"""

import contextlib
import dataclasses
import mmap
import os
import pickle
import pickletools
import queue
import socket
import subprocess
import sys
import tempfile
import weakref
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from absl import logging

from ..arrays import aligned_empty
from ..decoding.videos import DecodeError

# With this many cores and examples, a single process is too slow for training and it pays to start
# others, which take about 320 MB each. See benchmarks/loader_simulation.py.
AUTO_CORES, AUTO_EXAMPLES, AUTO_MAX = 16, 1000, 64
# How often `python_calls.py` can interrupt a thread that waits for a process.
_POLL_SECONDS = 0.5
_MODULE = "keras_video.data.pipelines.load_worker"


def worker_count(workers, cores, examples):
    """The number of worker processes.

    Args:
        workers: the argument of a loader; `None` chooses automatically.
        cores: number of cores available to this process.
        examples: number of examples in a pass.

    Raises:
        ValueError: for anything but a non-negative integer.
    """
    if workers is None:
        return min(cores, AUTO_MAX) if cores >= AUTO_CORES and examples >= AUTO_EXAMPLES else 0
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or workers < 0:
        raise ValueError(f"received workers={workers!r}, expected None or a non-negative integer")
    return int(workers)


def load_workers(reader, processing, options, cores, examples):
    """The `LoadWorkers` of a loader, or None if this process loads.

    Args:
        reader, processing, options: as for `dataset_of_reader`.
        cores, examples: as for `worker_count`.

    Raises:
        ValueError: if `workers` is set, but the reader or processing cannot be pickled.
    """
    count = worker_count(options.workers, cores, examples)
    if not count:
        return None
    try:
        return LoadWorkers(reader, processing, options.training, options.repeats, count)
    except ValueError as error:
        if options.workers is not None:
            raise
        logging.warning("clips are loaded in threads, which is slower than processes: %s", error)
        return None


class LoadWorkers:
    """Processes that read and transform examples.

    Args:
        reader: a `ClipReader`; it is pickled, like the processing.
        processing: the `Processing` of the examples.
        training, repeats: as for `Processing.transform`.
        count: number of processes, which are started on demand.

    Raises:
        ValueError: if the reader or the processing cannot be pickled.
    """

    def __init__(self, reader, processing, training, repeats, count):
        self.count = count
        self._reader = reader
        spec = _pickled(reader, (processing, training, repeats), count)
        processes = [_Process(spec) for _ in range(count)]
        self._free = queue.LifoQueue()
        for process in reversed(processes):
            self._free.put(process)
        weakref.finalize(self, _close, processes)

    def load(self, epoch, index):
        """As `ExampleTransform.load`.

        Raises:
            DecodeError: as there, and if the process ends while loading an example, naming it.
        """
        process = self._free.get()
        try:
            arrays, failures, error = process.load((epoch, index))
        except EOFError as ended:
            raise self._ended(process, epoch, index) from ended
        except BaseException:
            process.close()  # it may be in the middle of a reply
            raise
        finally:
            self._free.put(process)
        for path, reason in failures:
            self._reader.report.add(path, reason)
        if error is not None:
            raise error
        return arrays

    def _ended(self, process, epoch, index):
        """The error for an example whose process ended; the next example starts a new process."""
        record = self._reader.drawn(epoch, index)[0]
        line = f" ({record.source})" if record.line else ""
        return DecodeError(record.path, f"the process that loaded it {process.ended()}{line}")


def _pickled(reader, others, count):
    """The pickled arguments of `build_transform`.

    The reader's report is omitted, as it belongs to this process.
    """
    expected = "expected picklable objects, or workers=0"
    try:
        fields = {field.name: getattr(reader, field.name) for field in dataclasses.fields(reader)}
        spec = pickle.dumps((type(reader), {**fields, "report": None}, *others))
    except Exception as error:
        raise ValueError(
            f"workers={count}: the source, the sampler or a transform cannot be sent to other "
            f"processes: {error}; {expected}"
        ) from error
    if b"__main__" in spec:
        names = {str(argument).split(" ")[0] for _, argument, _ in pickletools.genops(spec)}
        if "__main__" in names:
            raise ValueError(
                f"workers={count}: the source, the sampler or a transform is defined in the "
                "main program, which other processes do not run; expected it to be defined in a "
                "module, or workers=0"
            )
    return spec


class _Process:
    """A worker process and the memory shared with it."""

    def __init__(self, spec):
        self._spec = spec
        self._process = self._socket = self._line = self._memory = None

    def load(self, example):
        """`(arrays, failures, error)` for the arguments of `LoadWorkers.load`.

        Raises:
            EOFError: if the process has ended.
        """
        if self._process is None:
            self._start()
        try:
            self._line.send(example)
            answer = self._answer()
            if isinstance(answer, int):  # it needs this many bytes
                self._share(answer)
                answer = self._answer()
        except OSError as error:
            raise EOFError(str(error)) from error
        layout, failures, error = answer
        return None if layout is None else self._copied(layout), failures, error

    def _answer(self):
        while not self._line.poll(_POLL_SECONDS):
            pass
        return self._line.recv()

    def _start(self):
        self._socket, child_socket = socket.socketpair()
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        # The process uses only the CPU.
        variables = {"PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        with child_socket:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(child_socket.fileno())],
                pass_fds=[child_socket.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **variables},
            )
        self._line = Connection(os.dup(self._socket.fileno()))
        with contextlib.suppress(OSError):  # in which case no reply arrives either
            self._line.send_bytes(self._spec)

    def _share(self, size):
        """Shares `size` bytes of memory, as an anonymous file that leaves nothing behind."""
        if hasattr(os, "memfd_create"):
            file = os.fdopen(os.memfd_create("keras_video"), "w+b")  # noqa: SIM115
        else:
            file = tempfile.TemporaryFile()  # noqa: SIM115
        with file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)
            socket.send_fds(self._socket, [b"m"], [file.fileno()])

    def _copied(self, layout):
        """Copies of the arrays in the shared memory."""
        arrays = []
        for start, shape, dtype in layout:
            arrays.append(aligned_empty(shape, dtype))
            arrays[-1][...] = np.ndarray(shape, dtype, self._memory, start)
        return arrays

    def ended(self):
        """Describes how the process ended, and discards it."""
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = "unknown"
        self.close()
        if status == "unknown" or status >= 0:
            return f"ended with status {status}, see its output above"
        return f"was killed by signal {-status}{' (out of memory?)' if status == -9 else ''}"

    def close(self):
        """Ends the process; the next example starts a new one."""
        process, line, connection = self._process, self._line, self._socket
        self._process = self._line = self._socket = self._memory = None
        for channel in (line, connection):
            if channel is not None:
                channel.close()
        if process is not None:
            process.kill()
            process.wait()


def _close(processes):
    for process in processes:
        process.close()
