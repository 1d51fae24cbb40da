"""The Ray worker: builds a worker function, and passes on the values it yields and raises.

Nothing here imports Keras, since its backend must be set first.
"""

import os
import sys
import traceback

from keras_video.sharded.engines import PROCESSORS, steps


class Actor:
    """The actor that runs in a worker process.

    Args:
        pickled: a function that builds the worker, pickled by `cloudpickle`.
        environment: environment variables that are set before it is unpickled.
    """

    def __init__(self, pickled, environment):
        self._pickled, self._environment = pickled, environment
        self._worker = None

    def prepare(self):
        """Builds the worker. Returns the pickled error if this raises, otherwise `None`."""
        from ray import cloudpickle

        os.environ.update(self._environment)
        try:
            self._worker = cloudpickle.loads(self._pickled)()
        except Exception as error:  # noqa: BLE001
            return _packed(error)
        self._pickled = None
        return None

    def work(self, job):
        """The steps of a job, the last of which is "done" or "error"."""
        try:
            yield from steps(self._worker, job)
        except Exception as error:  # noqa: BLE001
            yield "error", _packed(error)


def _packed(error):
    """A pickled error with the traceback in its notes."""
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
    """Environment variables that a worker process sets before it imports Keras."""
    names = (PROCESSORS, "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC")
    environment = {name: str(threads) for name in names}
    environment["TF_NUM_INTEROP_THREADS"] = str(max(2, threads))
    for name in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND"):
        if name in os.environ:
            environment[name] = os.environ[name]
    if "keras" in sys.modules:
        environment["KERAS_BACKEND"] = sys.modules["keras"].backend.backend()
    return environment
