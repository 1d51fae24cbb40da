"""Losses on logits, for models that end in a softmax or sigmoid.

Probabilities round to 0 or 1, and Keras clips them: from a difference of about 17 between two
logits, a loss on probabilities has no gradient. So training steps pass the logits to the loss.
"""

import contextlib
import threading
from dataclasses import dataclass

import keras
from keras import layers, ops

# Losses that accept logits, with the activation that turns these into probabilities. Other losses
# declare it with an attribute `logits_activation`.
LOSSES_BY_NAME = {
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
    """The losses of a model, computed on logits where possible, and the logits of a step.

    Args:
        model: a functional model.
        loss: the `loss` of `compile`: a loss, or a list or dictionary of them.

    Attributes:
        stated: `loss` unchanged.
        losses: in the structure of `loss`.
        activations: by output index, the activation that turns the logits of the loss into
            probabilities.
    """

    def __init__(self, model, loss):
        self.stated = loss
        self.losses = loss
        self._heads = {}
        self.activations = {}
        self._step = _Step()
        names = list(model.output_names)
        if isinstance(loss, dict):
            self.losses = {
                key: self._on_logits(model, names.index(key), each) if key in names else each
                for key, each in loss.items()
            }
        elif isinstance(loss, (list, tuple)):
            self.losses = [
                self._on_logits(model, index, each) if index < len(names) else each
                for index, each in enumerate(loss)
            ]
        elif len(names) == 1:
            self.losses = self._on_logits(model, 0, loss)
        self._forward = None
        if self._heads:
            logits = [head.tensor for head in self._heads.values()]
            self._forward = keras.Model(model.input, [*model.outputs, *logits])
            self._structure = model.output

    def _on_logits(self, model, index, loss):
        """The loss on the logits of an output, registering its head, or `loss` itself."""
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
        """Whether this thread is inside a step that records logits."""
        return self._step.recording

    @contextlib.contextmanager
    def record(self):
        """Context in which `forward` records the logits for `loss_inputs`."""
        self._step.recording, self._step.logits = bool(self._heads), None
        try:
            yield
        finally:
            self._step.recording, self._step.logits = False, None

    def forward(self, inputs, training):
        """The model's outputs; records the logits."""
        outputs = self._forward(inputs, training=training)
        count = len(outputs) - len(self._heads)
        self._step.logits = dict(zip(self._heads, outputs[count:], strict=True))
        return keras.tree.pack_sequence_as(self._structure, outputs[:count])

    def set_logits(self, logits):
        """Records logits for `loss_inputs`, by output index."""
        self._step.logits = logits

    def loss_inputs(self, outputs):
        """The model's outputs, with logits instead of probabilities for losses on logits.

        Logits that the step has not recorded are computed from the probabilities.
        """
        flat = keras.tree.flatten(outputs)
        recorded = self._step.logits or {}
        for index, head in self._heads.items():
            flat[index] = recorded[index] if index in recorded else head.logits(flat[index])
        return keras.tree.pack_sequence_as(outputs, flat)


class _Step(threading.local):
    """The recording state of a thread (replicas of a strategy run in separate threads)."""

    recording = False
    logits = None


@dataclass(frozen=True)
class _Head:
    """The logits of an output, and the activation applied to them."""

    tensor: keras.KerasTensor
    activation: str

    def logits(self, probabilities):
        """Logits from probabilities, clipped as in Keras' losses."""
        epsilon = keras.config.epsilon()
        p = ops.clip(probabilities, epsilon, 1 - epsilon)
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
    """Resolves a name, function or configuration to a loss object, if it can take logits."""
    if isinstance(loss, (str, dict)):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None)
    if name in LOSSES_BY_NAME and loss is keras.losses.get(name):
        return LOSSES_BY_NAME[name](name=name)
    return loss


def _activation(loss):
    return ACTIVATIONS.get(type(loss), getattr(loss, "logits_activation", None))
