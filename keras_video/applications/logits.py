"""Losses on logits, for models that end in a softmax or sigmoid.

A probability rounds to 0 or 1 and Keras clips it: from a gap of about 17 between two logits on, a
loss on probabilities has no gradient. So a step of training hands the loss the logits instead.
"""

import contextlib
import threading
from dataclasses import dataclass

import keras
from keras import layers, ops

# Losses that take logits, by the activation that makes probabilities of these. Other losses say it
# by an attribute `logits_activation`.
BY_NAME = {
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
}
ACTIVATIONS = {
    keras.losses.CategoricalCrossentropy: "softmax",
    keras.losses.SparseCategoricalCrossentropy: "softmax",
    keras.losses.BinaryCrossentropy: "sigmoid",
}


class LogitLosses:
    """The losses of a model, those on its logits where they can be, and the logits of a step.

    Args:
        model: a functional model.
        loss: what `compile` was given: a loss, or a list or dictionary of them.

    Attributes:
        stated: `loss` as it was given.
        losses: in the structure of `loss`.
        activations: by the index of an output, the activation whose logits its loss is of.
    """

    def __init__(self, model, loss):
        self.stated = loss
        self.losses = loss
        self._heads = {}
        self.activations = {}
        self._step = _Step()
        names = list(model.output_names)
        if isinstance(loss, dict):
            made = {key: self._taken(model, names.index(key), one) if key in names else one
                    for key, one in loss.items()}  # fmt: skip
            self.losses = made
        elif isinstance(loss, (list, tuple)):
            pairs = enumerate(loss)
            self.losses = [
                self._taken(model, index, one) if index < len(names) else one
                for index, one in pairs
            ]
        elif len(names) == 1:
            self.losses = self._taken(model, 0, loss)
        self._forward = None
        if self._heads:
            logits = [head.tensor for head in self._heads.values()]
            self._forward = keras.Model(model.input, [*model.outputs, *logits])
            self._structure = model.output

    def _taken(self, model, index, loss):
        """The loss on the logits of an output, or `loss` itself; notes the logits."""
        head = final_logits(model.outputs[index])
        loss = _instance(loss)
        self.activations[index] = _activation(loss)
        if head is None or _activation(loss) != head.activation:
            return loss
        self._heads[index] = head
        config = {**loss.get_config(), "from_logits": True, "dtype": loss.dtype}
        return type(loss).from_config(config)

    @property
    def recording(self):
        """Whether this thread is inside a step whose logits are wanted."""
        return self._step.recording

    @contextlib.contextmanager
    def recorded(self):
        """Within it, `forward` notes the logits for `inputs_of_losses`."""
        self._step.recording, self._step.logits = bool(self._heads), None
        try:
            yield
        finally:
            self._step.recording, self._step.logits = False, None

    def forward(self, inputs, training):
        """The model's outputs."""
        outputs = self._forward(inputs, training=training)
        count = len(outputs) - len(self._heads)
        self._step.logits = dict(zip(self._heads, outputs[count:], strict=True))
        return keras.tree.pack_sequence_as(self._structure, outputs[:count])

    def note(self, logits):
        """Notes logits for `inputs_of_losses`, by the index of their output."""
        self._step.logits = logits

    def inputs_of_losses(self, outputs):
        """The model's outputs with logits in place of probabilities, where losses take these.

        Where a step has not noted them, they are computed from the probabilities.
        """
        flat = keras.tree.flatten(outputs)
        noted = self._step.logits or {}
        for index, head in self._heads.items():
            flat[index] = noted[index] if index in noted else head.logits(flat[index])
        return keras.tree.pack_sequence_as(outputs, flat)


class _Step(threading.local):
    """What a thread, one of several replicas perhaps, has noted."""

    recording = False
    logits = None


@dataclass(frozen=True)
class _Head:
    """The logits of an output and the activation that follows."""

    tensor: keras.KerasTensor
    activation: str

    def logits(self, probabilities):
        """Logits of probabilities, which Keras' losses clip alike."""
        least = keras.config.epsilon()
        p = ops.clip(probabilities, least, 1 - least)
        return ops.log(p) if self.activation == "softmax" else ops.log(p) - ops.log(1 - p)


def final_logits(output):
    """The logits of an output that ends in a softmax or sigmoid, else `None`."""
    layer, node, _ = output._keras_history
    if not isinstance(layer, layers.Activation):
        return None
    for activation in ("softmax", "sigmoid"):
        if layer.activation is keras.activations.get(activation):
            return _Head(layer._inbound_nodes[node].input_tensors[0], activation)
    return None


def _instance(loss):
    """The loss of a name, a function or a configuration, if it is one of those on logits."""
    if isinstance(loss, (str, dict)):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None)
    if name in BY_NAME and loss is keras.losses.get(name):
        return BY_NAME[name](name=name)
    return loss


def _activation(loss):
    return ACTIVATIONS.get(type(loss), getattr(loss, "logits_activation", None))
