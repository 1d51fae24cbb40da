"""The side of a Ray worker: it builds what works, and hands on what that yields and raises.

Nothing here loads Keras: which backend it takes is set first.
"""

import os
import sys
import traceback

from keras_video.sharded.engines import PROCESSORS, steps


class Actor:
    """What runs in a worker's process.

    Args:
        described: what `cloudpickle` makes of a function that builds the worker.
        environment: variables that are set before it is unpickled.
    """

    def __init__(self, described, environment):
        self._described, self._environment = described, environment
        self._worker = None

    def prepare(self):
        """Builds the worker; the error that this raised, pickled, or `None`."""
        from ray import cloudpickle

        os.environ.update(self._environment)
        try:
            self._worker = cloudpickle.loads(self._described)()
        except Exception as error:  # noqa: BLE001
            return _packed(error)
        self._described = None
        return None

    def work(self, job):
        """The steps of a job, the last of which is "done" or "error"."""
        try:
            yield from steps(self._worker, job)
        except Exception as error:  # noqa: BLE001
            yield "error", _packed(error)


def _packed(error):
    """An error that crosses processes, with the traceback in its notes."""
    from ray import cloudpickle

    text = f"{type(error).__name__}: {error}"
    note = "In a worker:\n" + "".join(traceback.format_exception(error))
    try:
        error.__cause__ = error.__context__ = error.__traceback__ = None
        error.add_note(note)
        packed = cloudpickle.dumps(error)
        cloudpickle.loads(packed)
    except Exception:  # noqa: BLE001
        error = RuntimeError(text)
        error.add_note(note)
        packed = cloudpickle.dumps(error)
    return packed


def worker_environment(threads):
    """What a worker's process is told before it loads Keras."""
    names = (PROCESSORS, "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC")
    found = {name: str(threads) for name in names}
    found["TF_NUM_INTEROP_THREADS"] = str(max(2, threads))
    for name in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND"):
        if name in os.environ:
            found[name] = os.environ[name]
    if "keras" in sys.modules:
        found["KERAS_BACKEND"] = sys.modules["keras"].backend.backend()
    return found
