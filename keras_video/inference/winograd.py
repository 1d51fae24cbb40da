"""Convolutions of a model that multiply less."""

from absl import logging
from keras import layers

from keras_video.layers.rebuilding import rebuilt, require_functional
from keras_video.layers.winograd import OUTPUTS, WinogradConv, filtered_axis, winograd_kernels

# Channels on both sides of a convolution from which fewer products outweigh the sums around them,
# along the height and along the time.
LEAST_CHANNELS = {"height": 64, "time": 128}


def winograd_model(model):
    """An equal model whose convolutions of three taps take half the multiplications.

    Convolutions of stride 1 with a kernel of three rows, or of three taps over time alone, become
    `layers.WinogradConv` where they have channels enough and that axis has four positions or more,
    a known number. It is for TensorFlow on a CPU and pays most for full 3-D convolutions, in
    `frozen_function(winograd_model(fold_batch_norm(model)))`; norms do not fold afterwards.
    The kernels of what changes take twice the memory. Convolutions in less than float32 stay.
    Logits differ by rounding.

    Args:
        model: a functional model; models inside it are changed as well. It stays as it is.

    Returns:
        A model of the same class, inputs, outputs and attributes `class_names`, `preprocessing`,
        with weights of its own; not for training or for loading checkpoints.

    Raises:
        ValueError: if `model` is not a functional model.
    """
    require_functional(model, "winograd_model")
    changed = []

    def replace(layer):
        return with_fewer_products(layer) if saves_time(layer) else None

    def transfer(layer, fast):
        kernel, *bias = layer.get_weights()
        fast.set_weights([*winograd_kernels(kernel), *bias])
        changed.append(layer.name)

    faster = rebuilt(model, replace, transfer)
    logging.info("%s: %d convolutions by minimal filtering.", model.name, len(changed))
    return faster


def with_fewer_products(layer):
    """A convolution as `WinogradConv`, not built yet."""
    return WinogradConv(
        layer.filters,
        layer.kernel_size,
        use_bias=layer.use_bias,
        activation=layer.activation,
        name=layer.name,
        dtype=layer.dtype_policy,
    )


def saves_time(layer):
    """Whether a layer is a convolution that `WinogradConv` can do, and does faster."""
    if type(layer) not in (layers.Conv2D, layers.Conv3D) or layer.compute_dtype != "float32":
        return False
    plain = layer.groups == 1 and {*layer.strides, *layer.dilation_rate} == {1}
    centred = layer.padding == "same" and all(size % 2 for size in layer.kernel_size)
    axis = filtered_axis(layer.kernel_size)
    if axis is None or not plain or not centred or layer.data_format != "channels_last":
        return False
    length = layer.get_build_config()["input_shape"][axis]
    least = LEAST_CHANNELS["height" if axis == len(layer.kernel_size) - 1 else "time"]
    long_enough = length is not None and length >= OUTPUTS
    return long_enough and min(layer.kernel.shape[-2:]) >= least
