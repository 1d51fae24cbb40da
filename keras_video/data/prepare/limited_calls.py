"""Calls with a time limit, enforced by killing their process.

A thread blocked inside a C library cannot be stopped; a process can.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing import connection

# Imported once, in the process from which the others are forked.
_PRELOADED = "keras_video.data.prepare.checking"
# Seconds allowed for a process to import its modules.
_LONGEST_START = 300
# Longest wait in seconds that the operating system accepts.
_LONGEST_WAIT = 2_000_000


class CallTimeoutError(TimeoutError):
    """A call did not return in time; its process was ended."""


class CallCrashedError(RuntimeError):
    """The process of a call ended before the call did."""


class LimitedCalls:
    """A function called in other processes, each of which serves many calls in turn.

    It may be called from several threads concurrently, each with its own process. Use it as a
    context manager, which ends the processes.

    Args:
        function: called with one argument. Both, and what it returns or raises, are pickled.
        seconds: how long a call may take.
    """

    def __init__(self, function, seconds):
        self._function, self._seconds = function, seconds
        self._idle, self._lock = [], threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._idle:
            process.end()

    def __call__(self, item):
        """Returns the result of the function.

        Raises:
            CallTimeoutError: it did not return in time.
            CallCrashedError: its process ended, by a signal or otherwise.
            RuntimeError: no process could be started.
            Exception: what the function raises.
        """
        with self._lock:
            process = self._idle.pop() if self._idle else None
        process = process or _CallingProcess(self._function)
        try:
            succeeded, result = process.call(item, self._seconds)
        except BaseException:
            process.end()
            raise
        with self._lock:
            self._idle.append(process)
        if not succeeded:
            raise result
        return result


class _CallingProcess:
    """A process that calls a function repeatedly."""

    def __init__(self, function):
        # A fork of this process would lack the threads of TensorFlow and FFmpeg.
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if context.get_start_method() == "forkserver":
            context.set_forkserver_preload([_PRELOADED])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        with theirs:
            self._process.start()
        if not self._is_ready():
            self.end()
            raise RuntimeError(
                "a process to work in did not start; a script that calls this needs its own code "
                "under `if __name__ == '__main__':`"
            )

    def _is_ready(self):
        try:
            return self._pipe.poll(_LONGEST_START) and self._pipe.recv()
        except (EOFError, OSError):
            return False

    def call(self, item, seconds):
        """Whether the function returned, and what it returned or raised."""
        try:
            self._pipe.send(item)
            if not self._pipe.poll(min(seconds, _LONGEST_WAIT)):
                raise CallTimeoutError(f"it took over {seconds:g} s")
            return self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join()
            raise CallCrashedError(_ending(self._process.exitcode)) from error

    def end(self):
        """Kills the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _ending(code):
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"the process was ended by {signal.Signals(-code).name}"
    return f"the process ended with status {code}"


def _serve(pipe, function):
    # Ctrl-C ends it immediately and silently: blocked C code may never check Python's signal flag.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(True)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            outcome = True, function(item)
        except Exception as error:
            outcome = False, error
        try:
            pipe.send(outcome)
        except ConnectionError:
            return
        except Exception as error:  # what cannot be pickled
            pipe.send((False, RuntimeError(f"{outcome[1]!r} cannot be sent: {error}")))


def _end_with_parent():
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
