"""The frozen part of a probe: a model up to its features, and its input protocol."""

import dataclasses

import keras
from keras import layers

from keras_video.inference.features import before_classifier
from keras_video.inference.network_hash import network_hash
from keras_video.inference.single_view import protocol_with_views
from keras_video.layers.attention import AttentivePooling
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.probe_heads import QueryPooling, Standardize
from keras_video.zoo.protocol import Protocol

CLASSIFIER = "fc_cls"
# Layers with weights between a network's tokens and its features that a head skips.
_SKIPPED = (layers.LayerNormalization, layers.BatchNormalization, AttentivePooling)
# Incremented when the features of the same network, protocol and video change.
_VERSION = 1


class ProbeBody:
    """A model up to the input of its classifier.

    Args:
        model: a video classifier of `keras_video.applications`, or any functional Keras model of
            clips whose only output are features; it is not changed.
        tokens: whether to use the input of the last pooling, features per position, instead of one
            vector per view.
        views: `(clips, crops)` of a video, see `keras_video.zoo.other_views`.
        protocol: a `keras_video.zoo.Protocol` used instead of the model's.

    Attributes:
        model: the given model.
        features: tensor of the features, `(batch, width)` or `(batch, tokens, width)`.
        network: the model from clips to `features`.
        protocol: how videos are sampled and preprocessed.

    Raises:
        ValueError: for a model without a protocol, or, with `tokens`, one whose features never had
            positions.
    """

    def __init__(self, model, tokens=False, views=(1, 1), protocol=None):
        self.model = model
        self.tokens = tokens
        self.protocol = protocol_with_views(model, views, protocol)
        tensor = _unpooled(model) if tokens else _features_of(model)
        self.features = _tokens(tensor, model) if tokens else _vectors(tensor, model)
        self.network = keras.Model(model.input, self.features)

    def facts(self):
        """What determines the features besides the video, as JSON values."""
        sampled = dataclasses.replace(
            self.protocol, score_average=Protocol.score_average, max_views=None, row=None
        )
        return {
            "version": _VERSION,
            "tokens": self.tokens,
            "protocol": sampled.facts(),
            "network": network_hash(self.network),
        }


def _features_of(model):
    """The input of a classifier or a probe's head; for a model without one, its output."""
    if model.outputs[0]._keras_history.operation.name != "predictions":
        if len(model.outputs) != 1:
            raise ValueError(
                f"{model.name!r} has {len(model.outputs)} outputs, expected a classifier of "
                "keras_video.applications, or a model of one output."
            )
        return model.outputs[0]
    tensor = before_classifier(model)
    while isinstance(layer := tensor._keras_history.operation, Standardize | QueryPooling):
        tensor = layer.input
    return tensor


def _unpooled(model):
    """The input of the last pooling: features per position."""
    start = tensor = _features_of(model)
    while len(tensor.shape) < 3:
        operation = tensor._keras_history.operation
        sources = keras.tree.flatten(operation._inbound_nodes[0].input_tensors)
        if isinstance(operation, UnfoldTime):
            sources = sources[:1]
        learned = getattr(operation, "weights", None) and not isinstance(operation, _SKIPPED)
        if len(sources) != 1 or learned:
            raise ValueError(
                f"head='attentive': the features {tuple(start.shape)} of {model.name!r} come from "
                f"the layer {operation.name!r}, expected a pooling of one tensor: give another "
                "head."
            )
        tensor = sources[0]
    return tensor


def _vectors(tensor, model):
    """Features `(batch, width)`: the mean over frames and space."""
    tensor = _unfolded(tensor, model)
    if len(tensor.shape) == 2:
        return tensor
    width = tensor.shape[-1]
    if len(tensor.shape) > 3:
        tensor = layers.Reshape((-1, width), name="probe_tokens")(tensor)
    return layers.GlobalAveragePooling1D(name="probe_mean")(tensor)


def _tokens(tensor, model):
    """Features `(batch, tokens, width)`."""
    tensor = _unfolded(tensor, model)
    if len(tensor.shape) == 3:
        return tensor
    return layers.Reshape((-1, tensor.shape[-1]), name="probe_tokens")(tensor)


def _unfolded(tensor, model):
    """The tensor with frames as an axis, if they are in its batch."""
    if not _is_folded(tensor):
        return tensor
    return UnfoldTime(name="probe_unfold")(tensor, model.inputs[0])


def _is_folded(tensor):
    """Whether frames are folded into the batch and not unfolded again."""
    pending, visited = [tensor], set()
    while pending:
        operation = pending.pop()._keras_history.operation
        if id(operation) in visited or isinstance(operation, UnfoldTime):
            continue
        if isinstance(operation, FoldTime):
            return True
        visited.add(id(operation))
        for node in operation._inbound_nodes:
            pending.extend(keras.tree.flatten(node.input_tensors))
    return False
