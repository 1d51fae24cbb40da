"""Reading a hostile file under guard: bounded in time and memory, and heard by an audit hook."""

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

# What Python reports before it runs a program, compiles, imports, or lets a pickle find a name.
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
# What the reader itself loads late: names of opcodes for its errors, and the zip's old alphabet.
assert pickletools.code2op
codecs.lookup("cp437")


class Watch:
    """Records the events above while it is switched on; an audit hook cannot be taken away."""

    def __init__(self):
        self.on = False
        self.seen = []
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if self.on and event in ALARMS:
            self.seen.append((event, arguments))


WATCH = Watch()


@contextlib.contextmanager
def guarded():
    """Fails when the body takes too long or does what reading a file never needs."""

    def too_long(*_):
        raise AssertionError(f"took more than {SECONDS_PER_CASE} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_CASE)
    WATCH.seen, WATCH.on = [], True
    try:
        yield
    finally:
        WATCH.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert WATCH.seen == []


def is_read(path):
    """Reads a file that may be damaged: True, or False when it is refused as it should be."""
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
