"""The frozen part of a probe: a model up to its features, and how it is fed."""

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
# Layers with weights between a network's tokens and its features that a head does without.
_PASSED = (layers.LayerNormalization, layers.BatchNormalization, AttentivePooling)
# Raised when the same network, protocol and video begin to give other features.
_VERSION = 1


class ProbeBody:
    """A model up to what its classifier sees.

    Args:
        model: a video classifier of `keras_video.applications`, or any functional Keras model of
            clips whose only output are features; it is not changed.
        tokens: whether the features keep their places: what the last pooling sees. Otherwise they
            are one vector per view.
        views: `(clips, crops)` of a video, see `keras_video.zoo.other_views`.
        protocol: a `keras_video.zoo.Protocol` in place of the model's.

    Attributes:
        model: the given model.
        features: tensor of the features, `(batch, width)` or `(batch, tokens, width)`.
        network: the model from clips to `features`.
        protocol: how videos are fed.

    Raises:
        ValueError: for a model that does not say how it is fed with videos, or, with `tokens`, one
            whose features were never spread over places.
    """

    def __init__(self, model, tokens=False, views=(1, 1), protocol=None):
        self.model = model
        self.tokens = tokens
        self.protocol = protocol_with_views(model, views, protocol)
        tensor = _unpooled(model) if tokens else _features_of(model)
        self.features = _tokens(tensor, model) if tokens else _vectors(tensor, model)
        self.network = keras.Model(model.input, self.features)

    def facts(self):
        """What decides the features besides the video, as JSON values."""
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
    """The tensor that a classifier or a probe's head sees; of a model without one, its output."""
    if model.outputs[0]._keras_history.operation.name != "predictions":
        if len(model.outputs) != 1:
            raise ValueError(
                f"{model.name!r} has {len(model.outputs)} outputs, expected a classifier of "
                "keras_video.applications, or a model of one output."
            )
        return model.outputs[0]
    tensor = before_classifier(model)
    while isinstance(maker := tensor._keras_history.operation, Standardize | QueryPooling):
        tensor = maker.input
    return tensor


def _unpooled(model):
    """What the last pooling sees: features that are spread over places."""
    start = tensor = _features_of(model)
    while len(tensor.shape) < 3:
        operation = tensor._keras_history.operation
        sources = keras.tree.flatten(operation._inbound_nodes[0].input_tensors)
        if isinstance(operation, UnfoldTime):
            sources = sources[:1]
        learned = getattr(operation, "weights", None) and not isinstance(operation, _PASSED)
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
    """Whether frames were folded into the batch and not taken out of it again."""
    waiting, seen = [tensor], set()
    while waiting:
        operation = waiting.pop()._keras_history.operation
        if id(operation) in seen or isinstance(operation, UnfoldTime):
            continue
        if isinstance(operation, FoldTime):
            return True
        seen.add(id(operation))
        for node in operation._inbound_nodes:
            waiting.extend(keras.tree.flatten(node.input_tensors))
    return False
