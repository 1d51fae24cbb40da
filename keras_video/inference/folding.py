"""Folding of batch norms into the preceding convolutions: faster inference, same scores."""

from collections import Counter

import keras
import numpy as np
from absl import logging
from keras import layers

from keras_video.layers.batch_norm import BatchNormalization
from keras_video.layers.causal import TemporalDepthwiseConv
from keras_video.layers.conv3d import Conv3D
from keras_video.layers.convolution import StridedPointwiseConv3D
from keras_video.layers.depthwise import DepthwiseConv2D, DepthwiseConv3D
from keras_video.layers.grouped import GroupedTemporalConv
from keras_video.layers.rebuilding import clone_with, require_functional

# Layers that are linear in their input, their output channels the last axis of the kernel.
LINEAR = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, Conv3D)
LINEAR += (StridedPointwiseConv3D,)
LINEAR_BY_CHANNEL = (DepthwiseConv3D, GroupedTemporalConv, TemporalDepthwiseConv)
# With kernels (..., channels, multiplier).
DEPTHWISE_2D = (layers.DepthwiseConv2D, TemporalDepthwiseConv)

NORMS = (layers.BatchNormalization, BatchNormalization)


def fold_batch_norm(model):
    """An equivalent model for inference with batch norms folded into the preceding layers.

    A norm is folded if it is the only consumer of a convolution or dense layer without activation;
    all others stay. The original model is not changed; the new one has separate weights and is not
    meant for training or for loading checkpoints.

    Args:
        model: a functional model; nested models are folded as well.

    Returns:
        A model of the same class, inputs, outputs and attributes `class_names`, `preprocessing`.

    Raises:
        ValueError: if `model` is not a functional model.
    """
    require_functional(model, "fold_batch_norm")
    norm_of = foldable_norms(model)
    norms = {id(norm) for norm in norm_of.values()}

    def replace(layer):
        if id(layer) in norms:
            return layer
        if id(layer) in norm_of:
            return type(layer).from_config({**layer.get_config(), "use_bias": True})
        return None

    def transfer(layer, folded):
        folded.set_weights(folded_weights(layer, norm_of[id(layer)]))

    def call(layer, *args, **kwargs):
        return args[0] if id(layer) in norms else layer(*args, **kwargs)

    folded = clone_with(model, replace, transfer, call)
    logging.info("%s: folded %d batch norms.", model.name, len(norms))
    return folded


def foldable_norms(model):
    """`{id of a layer: the norm to fold into it}`, for a model and its nested models."""
    norm_of = {}
    uses = Counter(id(tensor) for tensor in model.outputs)
    calls = Counter()
    nodes = [node for level in model._nodes_by_depth.values() for node in level]  # public nowhere
    for node in nodes:
        calls[id(node.operation)] += 1
        uses.update(id(tensor) for tensor in node.input_tensors)
    producers = {id(tensor): node.operation for node in nodes for tensor in node.outputs}
    for node in nodes:
        norm = node.operation
        if isinstance(norm, keras.Function):
            norm_of.update(foldable_norms(norm))
        if type(norm) not in NORMS or calls[id(norm)] > 1:
            continue
        (tensor,) = node.input_tensors
        layer = producers[id(tensor)]
        over_last = norm.axis in (-1, len(tensor.shape) - 1)
        if over_last and uses[id(tensor)] == calls[id(layer)] == 1 and is_linear(layer):
            norm_of[id(layer)] = norm
    return norm_of


def is_linear(layer):
    """Whether a scale and offset of the layer's output can be folded into its weights."""
    if type(layer) in (*LINEAR, layers.DepthwiseConv2D, DepthwiseConv2D):
        return layer.activation is keras.activations.linear
    return type(layer) in LINEAR_BY_CHANNEL


def folded_weights(layer, norm):
    """The kernel and bias with which `layer` includes `norm`."""
    kernel, *bias = layer.get_weights()
    names = (variable.name for variable in norm.weights)
    values = {name: np.asarray(value, "float64")
              for name, value in zip(names, norm.get_weights(), strict=True)}  # fmt: skip
    scale = values.get("gamma", 1.0) / np.sqrt(values["moving_variance"] + norm.epsilon)
    offset = values.get("beta", 0.0) + ((bias[0] if bias else 0.0) - values["moving_mean"]) * scale
    if isinstance(layer, DEPTHWISE_2D):
        return [kernel * scale.reshape(kernel.shape[-2:]), offset]
    return [kernel * scale, offset]
