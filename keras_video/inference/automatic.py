"""The fastest equal form of a network by itself, once there is more work than finding it costs."""

import contextlib
import importlib.util
import time

import keras
import numpy as np
from absl import logging
from keras import tree

from keras_video.inference.optimizing import PACKAGES, optimize

CHOICES = ("auto", "off")
# Of the time that a network takes, what the best form saves at least on most families.
GAIN = 0.2
# What `optimize` takes by backend: times a network's first call is longer than later ones, which is
# what compiling it takes; and calls. On two cores; torch's compiler is slow whatever the network.
TRACES = {"tensorflow": 10, "jax": 4, "torch": 0}
EXPORT_TRACES, CALLS = 10, 30
TORCH_SECONDS = 60.0
# Values of every weight that tell whether it has changed.
_VALUES = 256
_ATTRIBUTE = "_keras_video_pace"


def check_optimize(choice):
    """Refuses other values of an argument `optimize`.

    Raises:
        ValueError: naming the value.
    """
    if choice not in CHOICES:
        raise ValueError(f"optimize={choice!r}: expected one of {', '.join(CHOICES)}.")


def outputs_of(network, clips, limit=None, *, predict=None, optimize="off", to_come=0):
    """Float32 outputs of a network, `(count, ...)`.

    With `optimize="auto"` the network is replaced by its fastest form from the clip on from which
    that pays: when `GAIN` of the time that the clips to come will take, or of what earlier clips
    took, is more than `optimize` takes. The form stays with the network until its weights change.

    Args:
        network: a functional model.
        clips: array `(count, ...)`, or a structure of them, which is never optimized.
        limit: clips that go through the network at once.
        predict: `predict(network, clips)` in place of `predict_on_batch`.
        optimize: "auto" or "off".
        to_come: clips that will follow these.
    """
    check_optimize(optimize)
    count = len(tree.flatten(clips)[0])
    limit = limit or count
    starts = range(0, count, limit)

    def part(start):
        return tree.map_structure(lambda x: x[start : start + limit], clips)

    plain = predict or _predict
    if optimize == "off" or not _can_be_optimized(network, clips):
        outputs = [plain(network, part(start)) for start in starts]
    else:
        pace = _pace_of(network)
        outputs = []
        for start in starts:
            left = max(0, count - start - limit) + to_come
            outputs.append(pace(network, part(start), plain, left))
    return np.concatenate(outputs).astype(np.float32)


def _predict(network, clips):
    return keras.ops.convert_to_numpy(network.predict_on_batch(clips))


def _can_be_optimized(network, clips):
    strategy = getattr(network, "distribute_strategy", None)
    single = getattr(strategy, "num_replicas_in_sync", 1) == 1
    return isinstance(clips, np.ndarray) and len(network.inputs) == 1 and single


def _pace_of(network):
    """The `_Pace` of a network; a new one if it has none or its weights have changed."""
    # An attribute, since the form refers to the network: both go together.
    pace = getattr(network, _ATTRIBUTE, None)
    if pace is None or (pace.fast is not None and pace.weights != _weights(network)):
        pace = _Pace()
        setattr(network, _ATTRIBUTE, pace)
    return pace


class _Pace:
    """What a network's calls took, and the form that is used in its place."""

    def __init__(self):
        self.fast = self.weights = self.shape = None
        self.decided = False
        self.first = None  # (seconds, clips) of the call that compiled the network
        self.seconds, self.clips = 0.0, 0

    def __call__(self, network, clips, plain, to_come):
        if self.fast is not None and clips.shape[1:] == self.shape:
            return self.fast(clips)
        start = time.perf_counter()
        outputs = plain(network, clips)
        self._count(time.perf_counter() - start, len(clips))
        if not self.decided and self.pays(to_come, len(clips)):
            self._optimize(network, clips.shape)
        return outputs

    def _count(self, seconds, clips):
        if self.first is None:
            self.first = seconds, clips
        else:
            self.seconds, self.clips = self.seconds + seconds, self.clips + clips

    def pays(self, to_come, batch):
        """Whether a form is worth finding for clips that come `batch` at a time."""
        if not self.clips:
            return False
        of_clip = self.seconds / self.clips
        tracing = max(0.0, self.first[0] - of_clip * self.first[1])
        return GAIN * max(to_come * of_clip, self.seconds) > cost(tracing, of_clip * batch)

    def _optimize(self, network, shape):
        self.decided = True
        try:
            found = optimize(network, shape)
        except Exception as error:  # the scores go on as they come
            logging.warning("optimize: %s stays as it is: %.300s", network.name, error)
            return
        if found.form != "keras":
            self.fast, self.shape, self.weights = found.call, shape[1:], _weights(network)


def cost(tracing, call):
    """Seconds that `optimize` takes for a network whose compilation and call take so long."""
    backend = keras.backend.backend()
    if backend == "torch":
        return TORCH_SECONDS + CALLS * call
    runtimes = 0
    if backend == "tensorflow":
        runtimes = sum(all(map(importlib.util.find_spec, names)) for names in PACKAGES.values())
    return (TRACES[backend] + EXPORT_TRACES * runtimes) * tracing + CALLS * (1 + runtimes) * call


def _weights(network):
    """What tells whether weights have changed: some values of each."""
    return hash(tuple(_some(variable) for variable in network.variables))


def _some(variable):
    if keras.backend.backend() == "tensorflow":
        values = variable.value.read_value()
        with contextlib.suppress(TypeError, ValueError):  # bfloat16 has no buffer
            values = memoryview(values)  # `numpy()` would copy all of them
        values = np.asarray(values)
    else:
        values = keras.ops.convert_to_numpy(variable)
    values = values.reshape(-1)
    return values[:: max(1, values.size // _VALUES)].tobytes()
