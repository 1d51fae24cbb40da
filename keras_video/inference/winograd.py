"""Winograd convolutions for a model: fewer multiplications."""

import math

import numpy as np
from absl import logging
from keras import layers

from keras_video.inference.folding import foldable_norms, folded_weights
from keras_video.layers.conv3d import Conv3D
from keras_video.layers.rebuilding import clone_with, require_functional
from keras_video.layers.winograd import (
    KERNEL_SIZE,
    OUTPUTS,
    WinogradConv,
    filtered_axis,
    winograd_kernels,
)

# From where fewer products outweigh the sums around them and kernels of twice the size, in float32
# on a CPU with AVX-512, compiled and frozen: channels times the kernel's size across the filtered
# axis (the length of a product), and positions times channels on both sides.
LEAST_SIZES = {"height": 384, "time": 256}
LEAST_PRODUCTS = {"height": 20e6, "time": 400e6}


def winograd_model(model):
    """An equivalent model whose convolutions of kernel size 3 take half the multiplications.

    Convolutions of stride 1 with a kernel of three rows, or of temporal size 3 alone, become
    `layers.WinogradConv` where they have channels and positions enough for it to pay, so in small
    clips none may; that axis must be of known length. It is for TensorFlow on a CPU and pays most
    for full 3-D convolutions, in `compile_frozen(winograd_model(fold_batch_norm(model)))`; norms
    do not fold afterwards. Replaced kernels take twice the memory. Convolutions in less than
    float32 are unchanged. Logits differ by rounding.

    Args:
        model: a functional model; nested models are converted too. It is not modified.

    Returns:
        A model of the same class, inputs, outputs and attributes `class_names`, `preprocessing`,
        with its own weights; not for training or for loading checkpoints.

    Raises:
        ValueError: if `model` is not a functional model.
    """
    require_functional(model, "winograd_model")
    return _filtered(model, {})


def folded_winograd_model(model):
    """`winograd_model(fold_batch_norm(model))`, without the memory of the intermediate model."""
    require_functional(model, "folded_winograd_model")
    return _filtered(model, foldable_norms(model))


def filtered_layers(model):
    """The layers that `winograd_model` changes, including those of nested models."""
    frames = _frames(model)
    return [layer for layer in model._flatten_layers() if saves_time(layer, frames)]


def _frames(model):
    clip = model.inputs[0].shape
    return clip[1] if len(clip) == 5 and clip[1] else 1


def _filtered(model, norm_of):
    """The converted model, with norms folded: `norm_of` is `{id of a layer: norm after it}`."""
    frames, changed = _frames(model), []
    norms = {id(norm) for norm in norm_of.values()}

    def replace(layer):
        if id(layer) in norms:
            return layer
        folds = id(layer) in norm_of
        if saves_time(layer, frames):
            return with_fewer_products(layer, layer.use_bias or folds)
        if folds:
            return type(layer).from_config({**layer.get_config(), "use_bias": True})
        return None

    def transfer(layer, new):
        folds = id(layer) in norm_of
        weights = folded_weights(layer, norm_of[id(layer)]) if folds else layer.get_weights()
        if isinstance(new, WinogradConv):
            weights = [*winograd_kernels(np.asarray(weights[0], "float32")), *weights[1:]]
            changed.append(layer.name)
        new.set_weights(weights)

    def call(layer, *args, **kwargs):
        return args[0] if id(layer) in norms else layer(*args, **kwargs)

    faster = clone_with(model, replace, transfer, call)
    logging.info(
        "%s: replaced %d convolutions with Winograd convolutions.", model.name, len(changed)
    )
    return faster


def with_fewer_products(layer, use_bias):
    """The unbuilt `WinogradConv` that replaces a convolution."""
    return WinogradConv(
        layer.filters,
        layer.kernel_size,
        use_bias=use_bias,
        activation=layer.activation,
        name=layer.name,
        dtype=layer.dtype_policy,
    )


def saves_time(layer, frames=1):
    """Whether a layer is a convolution that `WinogradConv` can replace and speed up.

    Args:
        frames: frames per clip, which a 2-D convolution has in its batch axis.
    """
    if (
        type(layer) not in (layers.Conv2D, layers.Conv3D, Conv3D)
        or layer.compute_dtype != "float32"
    ):
        return False
    plain = layer.groups == 1 and {*layer.strides, *layer.dilation_rate} == {1}
    centered = layer.padding == "same" and all(size % 2 for size in layer.kernel_size)
    axis = filtered_axis(layer.kernel_size)
    if axis is None or not plain or not centered or layer.data_format != "channels_last":
        return False
    shape = layer.get_build_config()["input_shape"]
    if shape[axis] is None or shape[axis] < OUTPUTS:
        return False
    channels = layer.kernel.shape[-2:]
    kind = "height" if axis == len(layer.kernel_size) - 1 else "time"
    # Unknown sizes are assumed to be large.
    positions = math.prod(math.inf if size is None else size for size in shape[1:-1])
    positions *= frames if type(layer) is layers.Conv2D else 1
    size = min(channels) * math.prod(layer.kernel_size) // KERNEL_SIZE
    products = positions * math.prod(channels)
    return size >= LEAST_SIZES[kind] and products >= LEAST_PRODUCTS[kind]
