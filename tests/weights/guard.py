"""Reads malicious files under guard: with limits on time and memory, and an audit hook."""

import codecs
import contextlib
import pickletools
import signal
import sys
import tracemalloc

import numpy as np

from keras_video.weights.checkpoint import CheckpointError, read_checkpoint

SECONDS_PER_CASE = 20
MEMORY_PER_CASE = 64 << 20

# Audit events for running a program, compiling, importing, and resolving names of a pickle.
ALARMS = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "compile",
    "exec",
    "import",
    "pickle.find_class",
    "marshal.loads",
    "ctypes.dlopen",
    "socket.connect",
    "os.mkdir",
    "os.remove",
}
# Modules that the reader imports lazily: opcode names for its errors, and the old zip encoding.
assert pickletools.code2op
codecs.lookup("cp437")


class Watch:
    """Records the events above while it is enabled; audit hooks cannot be removed."""

    def __init__(self):
        self.on = False
        self.events = []
        sys.addaudithook(self.record)

    def record(self, event, arguments):
        if self.on and event in ALARMS:
            self.events.append((event, arguments))


WATCH = Watch()


@contextlib.contextmanager
def guarded():
    """Fails if the body takes too long or does anything that reading a file never needs."""

    def too_long(*_):
        raise AssertionError(f"took more than {SECONDS_PER_CASE} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_CASE)
    WATCH.events, WATCH.on = [], True
    try:
        yield
    finally:
        WATCH.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert WATCH.events == []


def is_read(path):
    """Reads a file that may be damaged: returns True, or False if it is properly rejected."""
    with guarded():
        try:
            state = read_checkpoint(path)
        except CheckpointError:
            return False
    assert all(type(name) is str and type(a) is np.ndarray for name, a in state.items())
    return True


def within_bounds(path):
    tracemalloc.start()
    try:
        outcome = is_read(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_PER_CASE
    finally:
        tracemalloc.stop()
    return outcome
