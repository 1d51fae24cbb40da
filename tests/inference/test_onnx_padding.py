import numpy as np
import pytest

from keras_video.inference.onnx_padding import merge_padding

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.unit

# One row and two columns before, one column after.
NHWC, NCHW = "0, 1, 2, 0, 0, 0, 1, 0", "0, 0, 1, 2, 0, 0, 0, 1"
CONV = "y = Conv<kernel_shape = [2, 3]>(p, w)"
OTHER = CONV.replace("y", "a", 1)
JOINED = "c = Concat<axis = 1>(r, {})"
POOL = "y = MaxPool<kernel_shape = [2, 3]>(p)"


def model(body, constants=f"int64[8] widths = {{{NCHW}}}", shape="1, 2, 5, 6"):
    """A model of two channels with one node per line of `body`; `w` is a convolution kernel."""
    text = f"""
        <ir_version: 8, opset_import: ["" : 17]>
        test (float[{shape}] x) => (float[N, C, H, W] y)
        <float[2, 2, 2, 3] w, {constants}, float fill = {{0.0}}, float one = {{1.0}}>
        {{ {body} }}
    """
    graph_model = onnx.parser.parse_model(text)
    weights = np.random.default_rng(0).normal(size=(2, 2, 2, 3)).astype("float32")
    kept = [x for x in graph_model.graph.initializer if x.name != "w"]
    del graph_model.graph.initializer[:]
    graph_model.graph.initializer.extend([*kept, onnx.numpy_helper.from_array(weights, "w")])
    return graph_model


def run(graph_model):
    onnx.checker.check_model(graph_model)
    session = onnxruntime.InferenceSession(graph_model.SerializeToString())
    shape = session.get_inputs()[0].shape
    x = np.random.default_rng(1).normal(size=shape).astype("float32") - 1  # most are negative
    return session.run(None, {"x": x})[0]


MERGED = {
    "convolution": f"p = Pad(x, widths) {CONV}",
    "explicit zeros": f"p = Pad(x, widths, fill) {CONV}",
    "with its own padding": "p = Pad(x, widths) y = Conv<pads = [1, 1, 0, 2]>(p, w)",
    "two convolutions": f"p = Pad(x, widths) z = Conv(p, w) {OTHER} y = Add(a, z)",
    "pooling of non-negative values": f"r = Relu(x) p = Pad(r, widths) {POOL}",
    "of parts": f"r = Relu(x) s = Sigmoid(x) {JOINED.format('s')} p = Pad(c, widths) {POOL}",
}
KEPT = {
    "pooling of anything": f"p = Pad(x, widths) {POOL}",
    "of a negative part": f"r = Relu(x) {JOINED.format('x')} p = Pad(c, widths) {POOL}",
    "another consumer": f"p = Pad(x, widths) {OTHER} b = ReduceMax(p) y = Add(a, b)",
    "ones": f"p = Pad(x, widths, one) {CONV}",
    "reflected": f'p = Pad<mode = "reflect">(x, widths) {CONV}',
    "same padding": 'p = Pad(x, widths) y = Conv<auto_pad = "SAME_UPPER">(p, w)',
    "wider than the window": "r = Relu(x) p = Pad(r, widths) y = MaxPool<kernel_shape = [2, 2]>(p)",
}


def count(graph_model, operation="Pad"):
    return sum(node.op_type == operation for node in graph_model.graph.node)


@pytest.mark.parametrize("case", [*MERGED, *KEPT])
def test_zeros_become_padding_where_equivalent(case):
    graph_model = model({**MERGED, **KEPT}[case])
    before = run(graph_model)
    merge_padding(graph_model.graph, onnx)
    np.testing.assert_allclose(run(graph_model), before, rtol=1e-5, atol=1e-6)
    assert count(graph_model) == (case in KEPT)
    assert ("widths" in {tensor.name for tensor in graph_model.graph.initializer}) == (case in KEPT)


def test_a_transpose_in_between_is_allowed():
    body = f"q = Pad(x, widths) p = Transpose<perm = [0, 3, 1, 2]>(q) {CONV}"
    graph_model = model(body, f"int64[8] widths = {{{NHWC}}}", "1, 5, 6, 2")
    before = run(graph_model)
    merge_padding(graph_model.graph, onnx)
    np.testing.assert_allclose(run(graph_model), before, rtol=1e-5, atol=1e-6)
    assert (count(graph_model), count(graph_model, "Transpose")) == (0, 1)


def test_other_axes_are_unchanged():
    graph_model = model(f"p = Pad(x, widths) {CONV}", "int64[8] widths = {1, 0, 1, 2, 0, 0, 0, 1}")
    merge_padding(graph_model.graph, onnx)
    assert count(graph_model) == 1
    assert run(graph_model).shape[0] == 2


def test_graph_outputs_are_not_merged():
    graph_model = model(f"y = Pad(x, widths) z = {CONV.removeprefix('y = ').replace('p,', 'y,')}")
    merge_padding(graph_model.graph, onnx)
    assert count(graph_model) == 1
