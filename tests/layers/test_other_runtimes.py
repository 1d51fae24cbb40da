"""Layers traced for another runtime: plain 3-D operations with the same results."""

import keras
import numpy as np
import pytest

from keras_video.layers import DepthwiseConv3D, MaxPooling, StridedPointwiseConv3D
from keras_video.layers.dense import Dense, gelu
from keras_video.layers.devices import for_another_runtime
from tests.layers.compare import close

tf = pytest.importorskip("tensorflow")
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
    ),
]

CLIP = (2, 5, 8, 8, 4)
# A layer, its input shape, and the single operation that other runtimes receive.
CASES = {
    "strided": (lambda: StridedPointwiseConv3D(3, 1, (1, 2, 2)), CLIP, "Conv3D"),
    "pooling": (lambda: MaxPooling((3, 2, 2), (2, 2, 2), (1, 0, 0)), CLIP, "MaxPool3D"),
    "depthwise": (lambda: DepthwiseConv3D(3), CLIP, "Conv3D"),
    "depthwise, strided": (lambda: DepthwiseConv3D((5, 3, 3), (1, 2, 2)), CLIP, "Conv3D"),
    "depthwise in time": (lambda: DepthwiseConv3D((5, 1, 1)), CLIP, "Conv3D"),
    "depthwise, same": (lambda: DepthwiseConv3D(3, (1, 2, 2), padding="same"), CLIP, "Conv3D"),
    "one position": (lambda: Dense(6, "sigmoid"), (2, 1, 1, 1, 4), "Conv3D"),
    "one position, no bias": (lambda: Dense(6, use_bias=False), (2, 1, 1, 1, 4), "Conv3D"),
}
COMPUTING = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "MaxPool", "MaxPool3D"}


def operations(layer, shape):
    """The operations in the trace of a layer, including the functions that it calls."""
    function = tf.function(layer, autograph=False).get_concrete_function(tf.TensorSpec(shape))
    graph = function.graph.as_graph_def()
    parts = [graph.node, *(function.node_def for function in graph.library.function)]
    return [node.op for part in parts for node in part if node.op in COMPUTING]


@pytest.mark.parametrize("case", CASES)
def test_other_runtimes_get_one_equivalent_operation(case):
    make, shape, operation = CASES[case]
    layer = make()
    clips = np.random.default_rng(0).normal(size=shape).astype("float32")
    if isinstance(layer, MaxPooling):
        clips = np.abs(clips)
    expected = layer(clips)
    with for_another_runtime():
        close(layer(clips), expected, 1e-5)
        assert operations(layer, shape) == [operation]
    assert operations(layer, shape) != [operation]


def test_dense_layers_over_positions_are_unchanged():
    layer = Dense(3)
    with for_another_runtime():
        assert operations(layer, (2, 4, 1, 1, 5)) == ["MatMul"]


def test_gelu_uses_the_error_function():
    x = np.linspace(-6, 6, 101).astype("float32")
    with for_another_runtime():
        function = tf.function(gelu, autograph=False).get_concrete_function(tf.TensorSpec((101,)))
        outputs = gelu(x)
    operations = {node.op for node in function.graph.as_graph_def().node}
    assert "Erf" in operations and "Erfc" not in operations
    close(outputs, gelu(x), 1e-6)
