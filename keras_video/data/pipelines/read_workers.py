"""Reading in processes of its own: Python's lock lets one process feed only so many cores.

Every process reads one example at a time and leaves its arrays in memory that it shares with this
one. Which process reads what does not matter: an example depends on its seed, epoch and number
alone.
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

from ..arrays import aligned_empty
from ..decoding.videos import DecodeError

# From so many cores and examples on, one process reads less than a training may want, and starting
# others pays; each takes some hundred megabytes. See benchmarks/loader_simulation.py.
AUTO_CORES, AUTO_EXAMPLES, AUTO_MOST = 16, 1000, 32
# How often a thread that waits for a process can be broken off, as `python_calls.py` does.
_LOOK_SECONDS = 0.5
_MODULE = "keras_video.data.pipelines.read_worker"


def worker_count(workers, cores, examples):
    """How many processes read.

    Args:
        workers: as a loader is given it; `None` leaves it to the machine.
        cores: that this process may use.
        examples: of a pass.

    Raises:
        ValueError: for anything but a whole number from 0 on.
    """
    if workers is None:
        return min(cores, AUTO_MOST) if cores >= AUTO_CORES and examples >= AUTO_EXAMPLES else 0
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or workers < 0:
        raise ValueError(f"received workers={workers!r}, expected None or a number from 0 on")
    return int(workers)


class WorkerReader:
    """A reader whose `read` runs in other processes; all else is the reader's own.

    Args:
        reader: a `ClipReader`; it is pickled.
        count: number of processes, which start when they are needed.

    Raises:
        ValueError: the reader cannot be sent to another process.
    """

    def __init__(self, reader, count):
        self._reader = reader
        spec = _pickled(reader, count)
        processes = [_Process(spec) for _ in range(count)]
        self._free = queue.LifoQueue()
        for process in reversed(processes):
            self._free.put(process)
        weakref.finalize(self, _close, processes)

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def read(self, epoch, index, attempt=0):
        """As `ClipReader.read`.

        Raises:
            DecodeError: as there, and naming the example whose process ended while it read.
        """
        process = self._free.get()
        try:
            example, failures, error = process.read((epoch, index, attempt))
        except EOFError as ended:
            raise self._ended(process, epoch, index, attempt) from ended
        except BaseException:
            process.close()  # in the middle of an answer
            raise
        finally:
            self._free.put(process)
        for path, reason in failures:
            self._reader.report.add(path, reason)
        if error is not None:
            raise error
        return example

    def _ended(self, process, epoch, index, attempt):
        """The error of an example whose process ended; the next example gets a new process."""
        record = self._reader.drawn(epoch, index, attempt)[0]
        line = f" ({record.source})" if record.line else ""
        return DecodeError(record.path, f"the process that read it {process.ended()}{line}")


def _pickled(reader, count):
    """The kind and the fields of a reader, without its report, which belongs to this process."""
    expected = "expected what can be pickled, or workers=0"
    try:
        fields = {one.name: getattr(reader, one.name) for one in dataclasses.fields(reader)}
        spec = pickle.dumps((type(reader), {**fields, "report": None}))
    except Exception as error:
        raise ValueError(
            f"workers={count}: what is read cannot be sent to other processes: {error}; {expected}"
        ) from error
    if b"__main__" in spec:
        names = {str(argument).split(" ")[0] for _, argument, _ in pickletools.genops(spec)}
        if "__main__" in names:
            raise ValueError(
                f"workers={count}: the source or the sampler is defined in the program that was "
                "started, which other processes do not run; expected one of a module, or workers=0"
            )
    return spec


class _Process:
    """A process that reads, and the memory that it shares."""

    def __init__(self, spec):
        self._spec = spec
        self._process = self._socket = self._line = self._memory = None

    def read(self, arguments):
        """`(example, failures, error)` of the arguments of a reader's `read`.

        Raises:
            EOFError: the process has ended.
        """
        if self._process is None:
            self._start()
        try:
            self._line.send(arguments)
            answer = self._answer()
            if isinstance(answer, int):  # so many bytes are needed
                self._share(answer)
                answer = self._answer()
        except OSError as error:
            raise EOFError(str(error)) from error
        example, failures, error = answer
        return example and self._with_arrays(example), failures, error

    def _answer(self):
        while not self._line.poll(_LOOK_SECONDS):
            pass
        return self._line.recv()

    def _start(self):
        self._socket, theirs = socket.socketpair()
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        # It computes on the CPU alone.
        own = {"PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **own},
            )
        self._line = Connection(os.dup(self._socket.fileno()))
        with contextlib.suppress(OSError):  # then no answer comes either
            self._line.send_bytes(self._spec)

    def _share(self, size):
        """Shares so much memory; it is a file without a name, of which nothing stays."""
        if hasattr(os, "memfd_create"):
            file = os.fdopen(os.memfd_create("keras_video"), "w+b")  # noqa: SIM115
        else:
            file = tempfile.TemporaryFile()  # noqa: SIM115
        with file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)
            socket.send_fds(self._socket, [b"m"], [file.fileno()])

    def _with_arrays(self, example):
        """The example with arrays of this process in place of their places in the memory."""
        arrays = {}
        for key, (start, shape, dtype) in example.frames.items():
            arrays[key] = aligned_empty(shape, dtype)
            arrays[key][...] = np.ndarray(shape, dtype, self._memory, start)
        return example._replace(frames=arrays.pop(None) if None in arrays else arrays)

    def ended(self):
        """How the process ended, in words; it is forgotten."""
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = "unknown"
        self.close()
        if status == "unknown" or status >= 0:
            return f"ended with status {status}: what it said is above"
        return f"was killed by signal {-status}{' (out of memory?)' if status == -9 else ''}"

    def close(self):
        """Ends the process; another one would be started for the next example."""
        process, line, connection = self._process, self._line, self._socket
        self._process = self._line = self._socket = self._memory = None
        for one in (line, connection):
            if one is not None:
                one.close()
        if process is not None:
            process.kill()
            process.wait()


def _close(processes):
    for process in processes:
        process.close()
