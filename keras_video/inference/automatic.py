"""Automatic optimization of a network, once there is enough work for it to pay off."""

import contextlib
import importlib.util
import time

import keras
import numpy as np
from absl import logging
from keras import tree

from keras_video.inference.optimizing import PACKAGES, optimize

CHOICES = ("auto", "off")
# Fraction of a network's time that its fastest form saves, at least, on most families.
GAIN = 0.2
# Cost of `optimize` by backend: in compilation times (by how much a network's first call is longer
# than later ones) and in calls. On two cores; torch's compiler is slow for any network.
TRACES = {"tensorflow": 10, "jax": 4, "torch": 0}
EXPORT_TRACES, CALLS = 10, 30
TORCH_SECONDS = 60.0
# Values of every weight that are compared to detect changes.
_VALUES = 256
_ATTRIBUTE = "_keras_video_pace"


def check_optimize(choice):
    """Checks an argument `optimize`.

    Raises:
        ValueError: if it is none of `CHOICES`.
    """
    if choice not in CHOICES:
        raise ValueError(f"optimize={choice!r}: expected one of {', '.join(CHOICES)}.")


def outputs_of(network, clips, limit=None, *, predict=None, optimize="off", to_come=0):
    """Float32 outputs of a network, `(count, ...)`.

    With `optimize="auto"` the network is replaced by its fastest form as soon as that pays off:
    when `GAIN` of the time that the remaining clips will take, or that earlier clips took, exceeds
    the cost of `optimize`. The form is reused for the network until its weights change.

    Args:
        network: a functional model.
        clips: array `(count, ...)`, or a nested structure of them, which is never optimized.
        limit: clips per call of the network.
        predict: `predict(network, clips)` instead of `predict_on_batch`.
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
    # An attribute, since the form refers to the network: both are freed together.
    pace = getattr(network, _ATTRIBUTE, None)
    if pace is None or (pace.fast is not None and pace.weights != _weights(network)):
        pace = _Pace()
        setattr(network, _ATTRIBUTE, pace)
    return pace


class _Pace:
    """Timings of a network's calls, and the faster form that replaces it."""

    def __init__(self):
        self.fast = self.weights = self.shape = None
        self.decided = False
        self.first = None  # (seconds, clips) of the call that compiled the network
        self.seconds, self.clips = 0.0, 0  # of later calls

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
        """Whether optimizing pays off for clips that come `batch` at a time."""
        if not self.clips:
            return False
        of_clip = self.seconds / self.clips
        tracing = max(0.0, self.first[0] - of_clip * self.first[1])
        return GAIN * max(to_come * of_clip, self.seconds) > cost(tracing, of_clip * batch)

    def _optimize(self, network, shape):
        self.decided = True
        try:
            optimized = optimize(network, shape)
        except Exception as error:  # the network itself still works
            logging.warning("optimize: %s stays unoptimized: %.300s", network.name, error)
            return
        if optimized.form != "keras":
            self.fast, self.shape, self.weights = optimized.call, shape[1:], _weights(network)


def cost(tracing, call):
    """Seconds that `optimize` takes for a network, from its compilation time and call time."""
    backend = keras.backend.backend()
    if backend == "torch":
        return TORCH_SECONDS + CALLS * call
    runtimes = 0
    if backend == "tensorflow":
        runtimes = sum(all(map(importlib.util.find_spec, names)) for names in PACKAGES.values())
    return (TRACES[backend] + EXPORT_TRACES * runtimes) * tracing + CALLS * (1 + runtimes) * call


def _weights(network):
    """A hash of some values of each weight, to detect changes."""
    return hash(tuple(_sample_values(variable) for variable in network.variables))


def _sample_values(variable):
    if keras.backend.backend() == "tensorflow":
        values = variable.value.read_value()
        with contextlib.suppress(TypeError, ValueError):  # bfloat16 has no buffer
            values = memoryview(values)  # `numpy()` would copy all of them
        values = np.asarray(values)
    else:
        values = keras.ops.convert_to_numpy(variable)
    values = values.reshape(-1)
    return values[:: max(1, values.size // _VALUES)].tobytes()
