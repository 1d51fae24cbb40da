import keras
import numpy as np
import pytest
from keras import ops

from keras_video.applications import MoViNet
from keras_video.layers import depthwise
from keras_video.layers.depthwise import DepthwiseConv2D, DepthwiseConv3D
from keras_video.layers.mobilenet_v2 import mobilenet_v2
from tests.layers.compare import close, gradients

pytestmark = pytest.mark.unit

FORMS = {
    "tensorflow": (depthwise.two_dimensional, depthwise.per_position, depthwise.multiply_adds),
    "jax": (depthwise.two_dimensional, depthwise.multiply_adds, depthwise.grouped),
    "torch": (depthwise.grouped, depthwise.multiply_adds),
}[keras.backend.backend()]

CASES = [
    # kernel, strides, frames, height, width
    ((3, 3, 3), (1, 1, 1), 5, 6, 7),
    ((3, 3, 3), (1, 2, 2), 4, 7, 6),
    ((3, 3, 3), (2, 2, 2), 5, 6, 5),
    ((3, 3, 3), (2, 2, 2), 4, 5, 5),
    ((3, 3, 3), (2, 1, 1), 1, 4, 4),
    ((5, 1, 1), (1, 1, 1), 6, 3, 4),
    ((5, 3, 3), (3, 1, 1), 7, 4, 4),
    ((5, 3, 3), (1, 1, 1), 2, 4, 4),
    ((1, 5, 3), (1, 2, 2), 2, 6, 7),
]


def reference(x, kernel, strides):
    """The definition, one output value at a time."""
    n, *lengths, channels = x.shape
    half = [size // 2 for size in kernel.shape[:3]]
    padded = np.pad(x, [(0, 0), *((h, h) for h in half), (0, 0)])
    strided = [-(-size // stride) for size, stride in zip(lengths, strides, strict=True)]
    out = np.zeros((n, *strided, channels))
    for position in np.ndindex(*strided):
        values = padded[window(position, strides, kernel)]
        out[(slice(None), *position)] = (values * kernel[..., 0, :]).sum((1, 2, 3))
    return out


def window(position, strides, kernel):
    """The input window of the kernel at an output position."""
    starts = (index * stride for index, stride in zip(position, strides, strict=True))
    spans = zip(starts, kernel.shape[:3], strict=True)
    return (slice(None), *(slice(start, start + size) for start, size in spans))


def reference_gradients(x, kernel, strides):
    """Transposed windows of the definition; the convolution is linear in both arguments."""
    half = [size // 2 for size in kernel.shape[:3]]
    pad = [(0, 0), *((h, h) for h in half), (0, 0)]
    padded, upstream = np.pad(x, pad), 2 * reference(x, kernel, strides)
    dx, dk = np.zeros(padded.shape), np.zeros(kernel.shape)
    for position in np.ndindex(*upstream.shape[1:4]):
        region = window(position, strides, kernel)
        value = upstream[(slice(None), *position)][:, None, None, None]
        dx[region] += value * kernel[..., 0, :]
        dk[..., 0, :] += (value * padded[region]).sum(0)
    inner = (slice(h, h + size) for h, size in zip(half, x.shape[1:4], strict=True))
    return dx[(slice(None), *inner)], dk


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize(("kernel_size", "strides", "frames", "height", "width"), CASES)
def test_equals_the_definition(form, kernel_size, strides, frames, height, width):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, frames, height, width, 3)).astype("float32")
    kernel = rng.normal(size=(*kernel_size, 1, 3)).astype("float32")
    close(
        form(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel), strides),
        reference(x, kernel, strides),
        1e-5,
    )
    ours = gradients(lambda x, kernel: form(x, kernel, strides), x, kernel)
    for mine, theirs in zip(ours, reference_gradients(x, kernel, strides), strict=True):
        close(mine, theirs, 1e-5)


@pytest.mark.parametrize(
    ("kernel_size", "strides"),
    [
        ((3, 3, 3), (1, 1, 1)),
        ((5, 3, 1), (1, 2, 2)),
        ((3, 1, 1), (1, 1, 1)),
        ((3, 3, 3), (2, 1, 1)),
    ],
)
@pytest.mark.parametrize("clips", [1, 2])
def test_inference_equals_training(kernel_size, strides, clips):
    layer = DepthwiseConv3D(kernel_size, strides)
    x = np.random.default_rng(0).normal(size=(clips, 4, 5, 6, 3)).astype("float32")
    close(layer(x, training=False), layer(x, training=True), 1e-5)
    kernel = ops.convert_to_numpy(layer.kernel)
    close(layer(x, training=False), reference(x, kernel, strides), 1e-5)


def test_output_shape_and_bias():
    layer = DepthwiseConv3D((3, 3, 3), (2, 2, 2), use_bias=True)
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 7, 4)).astype("float32")
    y = layer(x)
    assert tuple(y.shape) == layer.compute_output_shape(x.shape) == (1, 3, 3, 4, 4)
    layer.bias.assign([1.0, 2.0, 3.0, 4.0])
    close(layer(x) - y, np.broadcast_to([1.0, 2.0, 3.0, 4.0], y.shape), 1e-5)


@pytest.mark.parametrize("strides", [1, (2, 2, 2)])
def test_frames_and_size_may_be_unknown(strides):
    layer = DepthwiseConv3D(3, strides)
    inputs = keras.Input((None, None, None, 2))
    model = keras.Model(inputs, layer(inputs))
    x = np.random.default_rng(0).normal(size=(3, 5, 6, 6, 2)).astype("float32")
    kernel = ops.convert_to_numpy(layer.kernel)
    close(model.predict(x, verbose=0), reference(x, kernel, layer.strides), 1e-5)


def test_unknown_batch_size():
    layer = DepthwiseConv3D(3)
    model = keras.Sequential([keras.Input((4, 6, 6, 2)), layer])
    x = np.random.default_rng(0).normal(size=(3, 4, 6, 6, 2)).astype("float32")
    # The last batch has one clip: the graph traced with two must also work for it.
    outputs = model.predict(x, batch_size=2, verbose=0)
    close(outputs, reference(x, ops.convert_to_numpy(layer.kernel), layer.strides), 1e-5)


def test_unsupported_arguments_are_rejected():
    with pytest.raises(ValueError, match="odd"):
        DepthwiseConv3D((3, 2, 3))
    with pytest.raises(ValueError, match="same for height and width"):
        DepthwiseConv3D(3, (1, 1, 2))


SAME = [((3, 3, 3), 2, (4, 6, 7)), ((3, 5, 5), 2, (2, 8, 5)), ((5, 3, 3), 1, (3, 4, 6))]
SAME += [((1, 5, 5), 2, (3, 9, 6))]


def same_reference(x, kernel, stride):
    """TensorFlow's "same": no more zeros than the last window needs, the odd one at the end."""
    pads = [(0, 0)]
    for length, size, step in zip(x.shape[1:4], kernel.shape, (1, stride, stride), strict=False):
        total = max((-(-length // step) - 1) * step + size - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, [*pads, (0, 0)])
    _, frames, height, width, channels = x.shape
    out = np.zeros((len(x), frames, -(-height // stride), -(-width // stride), channels))
    for position in np.ndindex(*out.shape[1:4]):
        values = padded[window(position, (1, stride, stride), kernel)]
        out[(slice(None), *position)] = (values * kernel[..., 0, :]).sum((1, 2, 3))
    return out


@pytest.mark.parametrize("clips", [1, 2])
@pytest.mark.parametrize(("kernel_size", "stride", "shape"), SAME)
def test_padding_same_is_tensorflows(kernel_size, stride, shape, clips):
    x = np.random.default_rng(0).normal(size=(clips, *shape, 3)).astype("float32")
    kernel = np.random.default_rng(1).normal(size=(*kernel_size, 1, 3)).astype("float32")
    layer = DepthwiseConv3D(kernel_size, (1, stride, stride), padding="same")
    layer.build(x.shape)
    layer.kernel.assign(kernel)
    expected = same_reference(x, kernel, stride)
    close(layer(x), expected, 1e-5)
    for form in FORMS:
        ours = form(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel), layer.strides, "same")
        close(ours, expected, 1e-5)


def test_unknown_padding_is_rejected():
    with pytest.raises(ValueError, match="padding='valid'"):
        DepthwiseConv3D(3, padding="valid")
    with pytest.raises(ValueError, match="expected 1 over time"):
        DepthwiseConv3D(3, 2, padding="same")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a matter of oneDNN")
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize(("stride", "dtype"), [(1, "bfloat16"), (2, "float32")])
def test_strided_gradients_of_half_precision_are_computed_in_float32(axes, stride, dtype):
    import tensorflow as tf

    if axes == 3:
        layer = DepthwiseConv3D(3, (1, stride, stride), dtype="mixed_bfloat16")
    else:
        layer = DepthwiseConv2D(3, stride, dtype="mixed_bfloat16")

    @tf.function
    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        assert outputs.dtype == tf.bfloat16
        return tape.gradient(outputs, inputs)

    inputs = tf.ones((1, 2, 4, 4, 3)[-axes - 2 :], "bfloat16")
    assert gradient(inputs).dtype == tf.bfloat16
    kinds = {
        operation.outputs[0].dtype.name
        for operation in gradient.get_concrete_function(inputs).graph.get_operations()
        if operation.type == "DepthwiseConv2dNativeBackpropInput"
    }
    assert kinds == {dtype}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"padding": "same", "activation": "relu6"},
        {"use_bias": False},
        {"data_format": "channels_first"},
    ],
    ids=str,
)
def test_depthwise_2d_equals_the_layer_of_keras(arguments):
    arguments = {"kernel_size": 3, "strides": 2, "bias_initializer": "normal", **arguments}
    ours, theirs = (
        kind(dtype="mixed_bfloat16", **arguments)
        for kind in (DepthwiseConv2D, keras.layers.DepthwiseConv2D)
    )
    x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(2, 9, 7, 5)), "bfloat16")
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    expected = ops.cast(theirs(x), "float32")
    for training in (False, True):
        result = ours(x, training=training)
        assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
        close(ops.cast(result, "float32"), expected, 1e-2)


def test_networks_use_the_layer_with_fast_gradients():
    frames = keras.Input((32, 32, 3))
    networks = (
        keras.Model(frames, mobilenet_v2(frames)),
        MoViNet(stream=True, weights=None, input_shape=(2, 32, 32, 3)),
    )
    for network in networks:
        kinds = {
            type(layer)
            for layer in network.layers
            if isinstance(layer, keras.layers.DepthwiseConv2D)
        }
        assert kinds == {DepthwiseConv2D}, network.name
