"""Export of large models to ONNX, within a few times the memory of their weights.

The converter copies every constant of a graph many times and folds constants by evaluating them. So
it receives a graph in which the large weights are inputs; they are written to the file afterwards,
one at a time.
"""

import contextlib
import math
import os

import keras
import numpy as np

from keras_video.inference.onnx_padding import merge_padding
from keras_video.layers.devices import for_another_runtime

# Weights from this many values on; smaller ones are constants that the converter may fold.
LARGE = 1 << 16
# A Protocol Buffers message is limited to 2 GiB; the rest is left for all but the large weights.
MOST_BYTES = 2**31 - 2**26
# Weights in a separate file are aligned to memory pages, so that runtimes can map them.
PAGE = 4096
_PREFIX = "keras_video_weight_"
_CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"


def import_onnx():
    """Imports the packages that write ONNX files; returns `onnx`.

    Raises:
        ImportError: if one is missing, naming what to install.
    """
    try:
        import onnx
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{error.name!r} is missing: ONNX files need pip install keras-video[onnx]."
        ) from error
    return onnx


def write_onnx(graph, path, properties, external_weights=False):
    """Writes an ONNX file.

    Args:
        graph: the `Graph` of a model, on TensorFlow.
        path: the file.
        properties: metadata `{name: text}` of the file.
        external_weights: whether to write the large weights to a separate file next to `path`,
            named `path` plus `.data`, which runtimes map into memory. This is always done if they
            do not fit in one ONNX file, which is limited to 2 GiB.

    Raises:
        ImportError: if the packages are missing.
    """
    onnx = import_onnx()
    variables = enumerate(graph.model.variables)
    large = {f"{_PREFIX}{number}": variable for number, variable in variables
             if np.prod(variable.shape) >= LARGE}  # fmt: skip
    converted = _convert(graph, large)
    _name_outputs(converted.graph, sorted(graph.outputs))
    _name_axes(converted.graph, large)
    _express_erfc(converted.graph, onnx.helper.make_node)
    _set_groups(converted, onnx)
    merge_padding(converted.graph, onnx)
    arrays = _Arrays(large)
    _fold(converted.graph, arrays, onnx)
    onnx.helper.set_model_props(converted, properties)
    _write(converted, arrays, path, external_weights, onnx)


def _convert(graph, large):
    """Converts a graph to ONNX, with the large weights `{name: variable}` as named inputs."""
    import tensorflow as tf
    import tf2onnx
    from keras.src.export.tf2onnx_lib import patch_tf2onnx  # public nowhere: NumPy 2

    @tf.function
    def forward(inputs, weights):
        pairs = [(variable, weights[name]) for name, variable in large.items()]
        with keras.StatelessScope(state_mapping=pairs), _functions_inlined(tf):
            return graph(inputs)

    patch_tf2onnx()
    weights = {
        name: tf.TensorSpec(variable.shape, variable.dtype, name)
        for name, variable in large.items()
    }
    with _fold_small_constants_only(), for_another_runtime():
        converted, _ = tf2onnx.convert.from_function(forward, [graph.inputs, weights])
    return converted


@contextlib.contextmanager
def _functions_inlined(tf):
    """Inlines functions when tracing: the converter does not support those compiled by XLA.

    Keras computes grouped convolutions in such functions.
    """
    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eagerly)


@contextlib.contextmanager
def _fold_small_constants_only():
    """Keeps the converter from folding constants into large ones, and from copying the graph.

    It stores a copy of every constant for each of its two dozen passes; and it copies the graph
    before each pass, to restore it after an error.
    """
    from tf2onnx import tfonnx

    def folded(*args):
        values, types = fold(*args)
        return {name: value for name, value in values.items() if np.size(value) < LARGE}, types

    fold = tfonnx.compute_const_folding_using_tf
    errors_caught = os.environ.get(_CATCH_ERRORS)
    tfonnx.compute_const_folding_using_tf = folded
    os.environ[_CATCH_ERRORS] = "FALSE"
    try:
        yield
    finally:
        tfonnx.compute_const_folding_using_tf = fold
        del os.environ[_CATCH_ERRORS]
        if errors_caught is not None:
            os.environ[_CATCH_ERRORS] = errors_caught


def _name_outputs(graph, names):
    """Renames the outputs of a graph, in order."""
    renamed = dict(zip([output.name for output in graph.output], names, strict=True))
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for output in graph.output:
        output.name = renamed[output.name]


def _name_axes(graph, weights):
    """Names the dynamic axes of inputs and outputs; the first is `batch`."""
    names = ("batch", "frames", "height", "width")
    for value in (*graph.input, *graph.output):
        if value.name in weights:
            continue
        frames = len(value.type.tensor_type.shape.dim) == 5
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and (axis == 0 or frames):
                dim.dim_param = names[axis]


def _express_erfc(graph, make_node):
    """Replaces `erfc(x)`, missing in ONNX, by `1 - erf(x)`: Keras' exact GELU needs it."""
    nodes = []
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        (x,), (y,) = node.input, node.output
        erf, unit = f"{y}/erf", f"{y}/one"
        nodes += [
            make_node("Constant", [], [unit], value_float=1.0),
            make_node("Erf", [x], [erf]),
            make_node("Sub", [unit, erf], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def _set_groups(converted, onnx):
    """Sets the number of groups of convolutions over clips, which the converter leaves at 1."""
    graph = onnx.shape_inference.infer_shapes(converted).graph
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info):
        shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for node in converted.graph.node:
        if node.op_type == "Conv":
            channels, group_channels = (shapes[name][1] for name in node.input[:2])
            group = next(item for item in node.attribute if item.name == "group")
            group.i = max(1, channels // group_channels)  # 0 channels: unknown


class _Arrays:
    """Weights by their names in the graph, each converted to an array only on access."""

    def __init__(self, variables):
        self._makers = {name: (variable, ()) for name, variable in variables.items()}

    def __contains__(self, name):
        return name in self._makers

    def __getitem__(self, name):
        variable, changes = self._makers[name]
        array = keras.ops.convert_to_numpy(variable)
        for change in changes:
            array = change(array)
        return np.ascontiguousarray(array)

    def bytes_of(self, names):
        """Total size in bytes of the weights with these names."""
        variables = [self._makers[name][0] for name in names]
        return sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)

    def derive(self, name, source, change):
        """Adds an array computed by `change` from the array named `source`."""
        variable, changes = self._makers[source]
        self._makers[name] = (variable, (*changes, change))


def _fold(graph, arrays, onnx):
    """Applies nodes that only change the shape of a weight to the weight itself."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    remaining = []
    for node in graph.node:
        source = node.input[0] if node.input else None
        change = _shape_change(node, constants, onnx) if source in arrays else None
        if change is None:
            remaining.append(node)
        else:
            arrays.derive(node.output[0], source, change)
    del graph.node[:]
    graph.node.extend(remaining)


def _shape_change(node, constants, onnx):
    """A reshaping node as a function of its first input, an array; None for other nodes."""
    values = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    numbers = [onnx.numpy_helper.to_array(constants[name]).tolist()
               for name in node.input[1:] if name in constants]  # fmt: skip
    if len(numbers) < len(node.input) - 1 or len(node.output) > 1:
        return None
    if node.op_type == "Identity":
        return lambda array: array
    if node.op_type == "Transpose":
        axes = values.get("perm")
        return lambda array: np.transpose(array, axes)
    if node.op_type == "Reshape" and 0 not in numbers[0]:
        return lambda array: np.reshape(array, numbers[0])
    axes = numbers[0] if numbers else values.get("axes")
    if node.op_type == "Squeeze":
        return lambda array: np.squeeze(array, axes and tuple(axes))
    if node.op_type == "Unsqueeze":
        return lambda array: np.expand_dims(array, tuple(axes))
    return None


def _write(converted, arrays, path, external, onnx):
    """Writes the graph, followed by the weights that its nodes use, as constants.

    Concatenated Protocol Buffers messages parse as one message with their lists joined.
    """
    inputs = [value for value in converted.graph.input if value.name not in arrays]
    del converted.graph.input[:]
    converted.graph.input.extend(inputs)
    used = {name for node in converted.graph.node for name in node.input}
    names = sorted(name for name in used if name in arrays)
    external = external or arrays.bytes_of(names) > MOST_BYTES
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("wb"))
        data_path = path.with_name(f"{path.name}.data")
        data = stack.enter_context(data_path.open("wb")) if external else None
        file.write(converted.SerializeToString())
        for name in names:
            part = onnx.ModelProto()
            array = arrays[name]
            tensor = part.graph.initializer.add()
            tensor.name, tensor.dims[:] = name, array.shape
            tensor.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            if external:
                _write_external(tensor, array, data, data_path.name, onnx)
            else:
                tensor.raw_data = array.tobytes()
            file.write(part.SerializeToString())


def _write_external(tensor, array, data, name, onnx):
    """Appends a weight to the file `data` and records its location in `tensor`."""
    data.seek(-data.tell() % PAGE, os.SEEK_CUR)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    location = {"location": name, "offset": data.tell(), "length": array.nbytes}
    for key, value in location.items():
        tensor.external_data.add(key=key, value=str(value))
    data.write(array.tobytes())
