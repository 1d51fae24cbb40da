"""Step-by-step training of published rows against the originals, see fixtures/training.

A fixture has the losses, learning rates and, per tensor, a summary of each step: the 2-norm of the
update and eight of its values. They were computed in float64, as in this module, so that
differences come from the computation and not from rounding.
"""

import contextlib
import dataclasses
import json
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from keras_video import training, weights, zoo
from keras_video.layers.freezing import every_layer
from keras_video.weights.dialects.mmaction2 import MMACTION2
from keras_video.weights.loading import squeeze_to, to_keras, variables_by_key
from tests.fixtures import rule
from tests.reference import mmaction2_keys

FOLDER = Path(__file__).parent.parent / "fixtures" / "training"
STEPS_PER_EPOCH = 5
VALUES = 8


@dataclasses.dataclass(frozen=True)
class Case:
    """One fixture: the row, the settings of its small inputs, tensor shapes and step results."""

    row: zoo.Row
    case: dict
    shapes: dict
    arrays: dict

    def first_epoch(self, phase):
        return 0 if phase == "start" else self.case["middle"]

    def steps(self, phase):
        return len(self.arrays[f"{phase}/loss"])

    def inputs(self, step):
        """A batch in this package's layout."""
        x = rule.reference_input((self.case["batch"], *self.case["shape"]), 100 + step)
        x = x.astype("float64")
        if self.case.get("audio"):
            return x[:, 0].transpose(0, 2, 3, 1)  # (n, 1, c, t, f) -> (n, t, f, c)
        if x.ndim == 6:
            return x[:, 0].transpose(0, 2, 3, 4, 1)  # (n, 1, c, t, h, w) -> (n, t, h, w, c)
        return x.transpose(0, 1, 3, 4, 2)  # (n, t, c, h, w) -> (n, t, h, w, c)

    def labels(self, step):
        """Class indices, or multi-hot tags `(batch, classes)`."""
        batch, classes = self.case["batch"], self.row.classes or 400
        if self.case.get("labels") == "tags":
            return (rule.draw((batch, classes), 8, step) % 50 == 0).astype("float64")
        return (rule.draw((batch,), 7, step) % classes).astype("int32")

    def state(self):
        return rule.reference_weights(list(self.shapes.items()), 0)


def load(name):
    """Loads a case by name."""
    facts = json.loads((FOLDER / f"{name}.json").read_text())
    with np.load(FOLDER / f"{name}.npz") as arrays:
        shapes = {name: tuple(shape) for name, shape in facts["manifest"]}
        return Case(zoo.row(facts["row"]), facts["case"], shapes, dict(arrays))


@contextlib.contextmanager
def double_precision():
    """Builds layers in float64, including classifiers that request float32."""
    make = keras.layers.Layer.__init__

    def widened(layer, *args, dtype=None, **kwargs):
        make(layer, *args, dtype="float64" if dtype == "float32" else dtype, **kwargs)

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        with mock.patch.object(keras.layers.Layer, "__init__", widened):
            yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def built(case, prepared=True):
    """Builds the row's model as its training recipe does, without dropout."""
    shape = case.inputs(0).shape[1:]
    extra = {key: case.case[key] for key in ("relation_picks",) if key in case.case}
    if case.row.constructor == "TPN":
        extra["auxiliary"] = True
    model = case.row.model(weights=None, input_shape=shape, **extra)
    weights.load_state(model, case.state())
    model = training.prepare_norms(model, case.row) if prepared else model
    for layer in every_layer(model):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
        if hasattr(layer, "tuples"):  # the tuples that the fixture lists, instead of a random draw
            own = layer.tuples
            layer.tuples = lambda size, chosen, training, own=own: own(size, chosen, False)
    return model


def trained(case, model, row=None, phases=("start", "middle"), **options):
    """Trains the model; returns the updates of every step of each phase, `{phase: Steps}`.

    Args:
        row: row whose settings are used instead of those of the case's row.
        **options: optimizer options that override the row's.
    """
    row = row or case.row
    optimizer = training.row_optimizer(row, STEPS_PER_EPOCH, **options)
    loss, more = training.row_loss(row), {}
    if row.constructor == "TPN":
        loss = [loss, keras.losses.SparseCategoricalCrossentropy(from_logits=True)]
        more["loss_weights"] = [1.0, row.loss.auxiliary_weight]
    model.compile(optimizer, loss, jit_compile=False, **more)
    optimizer.build(model.trainable_variables)
    results = {}
    for phase in phases:
        weights.load_state(model, case.state())
        for variable in optimizer.variables:
            if variable is not optimizer._learning_rate:
                variable.assign(keras.ops.zeros_like(variable))
        optimizer.iterations.assign(case.first_epoch(phase) * STEPS_PER_EPOCH)
        steps = range(case.steps(phase))
        data = tf.data.Dataset.from_tensor_slices(
            (np.stack([case.inputs(i) for i in steps]), np.stack([case.labels(i) for i in steps]))
        )
        if row.constructor == "TPN":
            data = data.map(lambda clips, labels: (clips, (labels, labels)))
        results[phase] = Steps(tensors(case, model))
        model.fit(data, callbacks=[results[phase]], verbose=0, shuffle=False)
    return results


def tensors(case, model):
    """`{name: (variable, positions of the values in its summary)}`."""
    variables, selected = variables_by_key(model), {}
    for name, shape in case.shapes.items():
        key = next(key for key in mmaction2_keys(name) if key in variables)
        size = int(np.prod(shape))
        index = np.arange(size, dtype=np.int64).reshape(shape)
        where = squeeze_to(to_keras(index, key, MMACTION2), tuple(variables[key].shape)).reshape(-1)
        inverse = np.empty_like(where)
        inverse[where] = np.arange(size)
        # Every other one of 16 evenly spaced values.
        selected[name] = variables[key], inverse[np.arange(0, 16, 2, dtype=np.int64) * size // 16]
    return selected


class Steps(keras.callbacks.Callback):
    """Records the update of every tensor in every step, and the momentum after the first."""

    def __init__(self, tensors):
        super().__init__()
        self.tensors, self.loss, self.rate, self.momentum = tensors, [], [], {}
        self.added = {name: [] for name in tensors}

    def on_train_begin(self, logs=None):
        self.before = self.values()

    def values(self):
        return {name: variable.numpy() for name, (variable, _) in self.tensors.items()}

    def on_train_batch_begin(self, batch, logs=None):
        self.rate.append(float(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch, logs=None):
        self.loss.append(logs["loss"] * (batch + 1) - sum(self.loss))  # `logs` has the running mean
        after = self.values()
        for name, values in self.added.items():
            values.append(self.summary(name, after[name] - self.before[name]))
        self.before = after
        if batch == 0:
            optimizer = self.model.optimizer
            momenta = zip(self.model.trainable_variables, optimizer._buffers, strict=True)
            own = {id(variable): buffer for variable, buffer in momenta}
            for name, (variable, _) in self.tensors.items():
                if id(variable) in own:
                    self.momentum[name] = self.summary(name, own[id(variable)].numpy())

    def summary(self, name, values):
        flat = values.reshape(-1)
        return np.array([np.linalg.norm(flat), *flat[self.tensors[name][1]]])


def differences(case, results):
    """Lists how a training run differs from the original; empty if they agree."""
    out = []
    for phase, steps in results.items():
        expected = {key: case.arrays[f"{phase}/{key}"] for key in ("loss", "lr", "grad_norm", "u")}
        for step, (loss, rate) in enumerate(zip(steps.loss, steps.rate, strict=True)):
            # Rounding in one step affects the loss of the next.
            if off(loss, expected["loss"][step]) > (1e-6, 1e-5)[step > 0]:
                out.append(f"{phase}, step {step}: loss {loss}, expected {expected['loss'][step]}")
            if off(rate, expected["lr"][step]) > 1e-5:
                out.append(f"{phase}, step {step}: rate {rate}, expected {expected['lr'][step]}")
        # Gradients that are zero up to rounding, such as those of a bias before a norm.
        least = 1e-10 * expected["grad_norm"][0]
        for index, name in enumerate(case.shapes):
            momentum = case.arrays["g"][index]
            if 0 < momentum[0] < least:
                continue
            if phase == "start" and momentum[0] and name in steps.momentum:
                out += compared(f"{phase}, gradient of {name}", steps.momentum[name], momentum)
                error = np.linalg.norm(steps.momentum[name][1:] - momentum[1:])
                if error > 1e-5 * np.linalg.norm(momentum):
                    out.append(f"{phase}, gradient of {name}: values off by {error:.1e}")
            values = np.abs(steps.before[name]).max()
            for step, update in enumerate(expected["u"][index]):
                # The original's weights were sometimes rounded to float32.
                noise = 2.0**-24 * values * np.sqrt(steps.before[name].size)
                out += compared(f"{phase}, step {step} of {name}", steps.added[name][step], update,
                                noise)  # fmt: skip
    return out


def compared(what, received, expected, noise=0.0):
    """A list with a description if two summaries differ by more than 1e-5 plus the given noise."""
    if (received[0] > 0) != (expected[0] > 0):
        return [f"{what}: updated only {'here' if received[0] > 0 else 'in the original'}"]
    if not expected[0]:
        return []
    ratio = received[0] / expected[0]
    if abs(ratio - 1) > 1e-5 + noise / expected[0]:
        return [f"{what}: {ratio:.6f} times as large"]
    return []


def off(received, expected):
    return abs(received / expected - 1)
