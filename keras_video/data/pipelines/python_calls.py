"""Python functions in `tf.data` graphs, and a clean exit of the process while they run.

TensorFlow's threads call them at any time, even during interpreter shutdown: a thread that then
requests Python's lock never gets it, and the process waits for that thread forever. So when the
interpreter is about to exit, new calls are rejected and running ones are interrupted.
"""

import atexit
import contextlib
import ctypes
import functools
import os
import sys
import threading
import time

import tensorflow as tf
from tensorflow.python.eager import context

# Threads between two calls take far less; after this time without calls, it is safe to exit.
_QUIET_SECONDS = 0.2
# A thread that hangs in a system call cannot be interrupted.
_LONGEST_WAIT = 10


class ProcessEndingError(BaseException):
    """The process is exiting. Not an error of an example, so it is not skipped or replaced."""


class PythonCalls:
    """The running calls, in all threads."""

    def __init__(self):
        self._was_used = False
        self._reset()

    def _reset(self):
        self._lock = threading.Lock()
        self._threads = set()
        self._ending = False
        self._last = 0.0

    def after_fork(self):
        """Resets the state in a child process, which has none of the parent's threads."""
        self._reset()
        self._was_used = self._was_used or _is_initialized()

    @contextlib.contextmanager
    def running(self):
        """Context of a running call. Raises `ProcessEndingError` if the process is exiting."""
        thread = threading.get_ident()
        with self._lock:
            self._last = time.monotonic()
            if self._ending:
                raise ProcessEndingError("the process is exiting")
            self._threads.add(thread)
        try:
            yield
        finally:
            with self._lock:
                self._last = time.monotonic()
                self._threads.discard(thread)
                if self._ending:
                    # The thread returns to TensorFlow, where nothing would catch it.
                    _raise_in(thread, None)

    def end(self, longest=_LONGEST_WAIT):
        """Rejects new calls and waits for running ones; returns whether all have ended."""
        deadline = time.monotonic() + longest
        self._ending = True
        while time.monotonic() < deadline:
            with self._lock:
                for thread in self._threads:
                    _raise_in(thread, ProcessEndingError)
                if not self._threads and time.monotonic() - self._last > _QUIET_SECONDS:
                    return True
            time.sleep(_QUIET_SECONDS / 4)
        return not self._threads

    def at_exit(self):
        """Ends the calls; if that fails, ends the process."""
        if not self._last:
            return
        try:
            if self.end():
                return
            reason = f"did not end within {_LONGEST_WAIT} s"
        except KeyboardInterrupt:
            reason = "were not awaited"
        print(
            f"{len(self._threads)} reads of videos {reason}; the process exits without them",
            file=sys.stderr,
        )
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(1)


def _raise_in(thread, error):
    """Makes a thread raise an error when it next runs Python code; None cancels that."""
    error = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)


_calls = PythonCalls()
atexit.register(_calls.at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_calls.after_fork)


def check_process():
    """Raises a RuntimeError in a process in which TensorFlow would hang.

    Such a process was forked after TensorFlow had been used, and lacks the threads it waits for.
    """
    if _calls._was_used:
        raise RuntimeError(
            "this process was forked after TensorFlow had been used, so a tf.data.Dataset "
            "would hang; start processes with "
            "multiprocessing.get_context('spawn'), or read single videos with open_video"
        )


def _is_initialized():
    """Whether TensorFlow has started its threads."""
    started = context.context_safe()
    return started is not None and started._initialized


@tf.autograph.experimental.do_not_convert  # AutoGraph would inspect all Python code in every call
def numpy_function(function, inputs, types, stateful=True):
    """`tf.numpy_function` that does not keep the process from exiting."""
    return tf.numpy_function(guarded(function), inputs, types, stateful=stateful)


def guarded(function):
    """The function, rejected or interrupted with `ProcessEndingError` when the process exits."""

    @functools.wraps(function)
    def call(*arguments):
        with _calls.running():
            return function(*arguments)

    return call
