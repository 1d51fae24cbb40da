"""Loading in processes of its own: Python's lock lets one process feed only so many cores.

Every process reads and transforms one example at a time and leaves the result in memory that it
shares with this one. Which process loads what does not matter: an example depends on its seed,
epoch and number alone.
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

# From so many cores and examples on, one process loads less than a training may want, and starting
# others pays; each takes some 320 MB. See benchmarks/loader_simulation.py.
AUTO_CORES, AUTO_EXAMPLES, AUTO_MOST = 16, 1000, 64
# How often a thread that waits for a process can be broken off, as `python_calls.py` does.
_LOOK_SECONDS = 0.5
_MODULE = "keras_video.data.pipelines.load_worker"


def worker_count(workers, cores, examples):
    """How many processes load.

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


def load_workers(reader, processing, options, cores, examples):
    """The `LoadWorkers` of a loader, or None where this process loads.

    Args:
        reader, processing, options: as for `dataset_of_reader`.
        cores, examples: as for `worker_count`.

    Raises:
        ValueError: `workers` was given, and what they load with cannot be sent to them.
    """
    count = worker_count(options.workers, cores, examples)
    if not count:
        return None
    try:
        return LoadWorkers(reader, processing, options.training, options.repeats, count)
    except ValueError as error:
        if options.workers is not None:
            raise
        logging.warning("clips are loaded in threads, slower than this machine could: %s", error)
        return None


class LoadWorkers:
    """Processes that read and transform examples.

    Args:
        reader: a `ClipReader`; it is pickled, and so is the processing.
        processing: the `Processing` of what it reads.
        training, repeats: as for `Processing.transform`.
        count: number of processes, which start when they are needed.

    Raises:
        ValueError: reader or processing cannot be sent to another process.
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
            DecodeError: as there, and naming the example whose process ended while it was loaded.
        """
        process = self._free.get()
        try:
            arrays, failures, error = process.load((epoch, index))
        except EOFError as ended:
            raise self._ended(process, epoch, index) from ended
        except BaseException:
            process.close()  # in the middle of an answer
            raise
        finally:
            self._free.put(process)
        for path, reason in failures:
            self._reader.report.add(path, reason)
        if error is not None:
            raise error
        return arrays

    def _ended(self, process, epoch, index):
        """The error of an example whose process ended; the next example gets a new process."""
        record = self._reader.drawn(epoch, index)[0]
        line = f" ({record.source})" if record.line else ""
        return DecodeError(record.path, f"the process that loaded it {process.ended()}{line}")


def _pickled(reader, others, count):
    """The kind and the fields of a reader, and what else `transform_of` takes.

    The reader's report belongs to this process.
    """
    expected = "expected what can be pickled, or workers=0"
    try:
        fields = {one.name: getattr(reader, one.name) for one in dataclasses.fields(reader)}
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
                "program that was started, which other processes do not run; expected one of a "
                "module, or workers=0"
            )
    return spec


class _Process:
    """A process that loads, and the memory that it shares."""

    def __init__(self, spec):
        self._spec = spec
        self._process = self._socket = self._line = self._memory = None

    def load(self, example):
        """`(arrays, failures, error)` of the arguments of `LoadWorkers.load`.

        Raises:
            EOFError: the process has ended.
        """
        if self._process is None:
            self._start()
        try:
            self._line.send(example)
            answer = self._answer()
            if isinstance(answer, int):  # so many bytes are needed
                self._share(answer)
                answer = self._answer()
        except OSError as error:
            raise EOFError(str(error)) from error
        places, failures, error = answer
        return None if places is None else self._copied(places), failures, error

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

    def _copied(self, places):
        """Arrays of this process with what is at these places of the memory."""
        arrays = []
        for start, shape, dtype in places:
            arrays.append(aligned_empty(shape, dtype))
            arrays[-1][...] = np.ndarray(shape, dtype, self._memory, start)
        return arrays

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
