"""Python functions in `tf.data` graphs, and the end of a process in which they still run.

TensorFlow's threads call them at any time, also while the interpreter is taken down: a thread that
then asks for Python's lock never gets it, and the process waits for that thread for ever. So when
the interpreter is about to end, calls are refused and those that run are broken off.
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

# Threads between two calls take far less; only then is it safe to go on.
_QUIET_SECONDS = 0.2
# What hangs in a system call cannot be broken off.
_LONGEST_WAIT = 10


class ProcessEndingError(BaseException):
    """The process ends; no error of an example, so nothing that is skipped or replaced."""


class PythonCalls:
    """The calls that run, in any thread."""

    def __init__(self):
        self._computed = False
        self._forget()

    def _forget(self):
        self._lock = threading.Lock()
        self._threads = set()
        self._ending = False
        self._last = 0.0

    def after_fork(self):
        """In a child process: of the parent's threads none is there."""
        self._forget()
        self._computed = self._computed or _has_computed()

    @contextlib.contextmanager
    def running(self):
        """While a call runs. Raises `ProcessEndingError` when the process ends."""
        thread = threading.get_ident()
        with self._lock:
            self._last = time.monotonic()
            if self._ending:
                raise ProcessEndingError("the process ends")
            self._threads.add(thread)
        try:
            yield
        finally:
            with self._lock:
                self._last = time.monotonic()
                self._threads.discard(thread)
                if self._ending:
                    # The thread goes back to TensorFlow, where nobody would catch it.
                    _raise_in(thread, None)

    def end(self, longest=_LONGEST_WAIT):
        """Refuses calls from now on and waits for those that run; whether none is left."""
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
        """Ends the calls, or else the process."""
        if not self._last:
            return
        try:
            if self.end():
                return
            reason = f"did not end within {_LONGEST_WAIT} s"
        except KeyboardInterrupt:
            reason = "were not waited for"
        print(
            f"{len(self._threads)} reads of videos {reason}; the process ends without them",
            file=sys.stderr,
        )
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(1)


def _raise_in(thread, error):
    """Has a thread raise an error when it next runs Python code; None takes that back."""
    error = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)


_calls = PythonCalls()
atexit.register(_calls.at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_calls.after_fork)


def check_process():
    """Raises a RuntimeError in a process in which TensorFlow would wait for ever.

    It was forked after TensorFlow had computed, and has none of the threads that it waits for.
    """
    if _calls._computed:
        raise RuntimeError(
            "this process was forked from one in which TensorFlow had computed, where a "
            "tf.data.Dataset would wait for ever; start processes with "
            "multiprocessing.get_context('spawn'), or read single videos with open_video"
        )


def _has_computed():
    """Whether TensorFlow has its threads."""
    started = context.context_safe()
    return started is not None and started._initialized


@tf.autograph.experimental.do_not_convert  # it would look at all Python code in every call
def numpy_function(function, inputs, types, stateful=True):
    """`tf.numpy_function` of a function that does not outlive the process."""
    return tf.numpy_function(guarded(function), inputs, types, stateful=stateful)


def guarded(function):
    """The function, refused or broken off with `ProcessEndingError` when the process ends."""

    @functools.wraps(function)
    def call(*arguments):
        with _calls.running():
            return function(*arguments)

    return call
