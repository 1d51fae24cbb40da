"""ONNX files of large models, within a few times the memory of their weights.

The converter copies every constant of a graph many times and folds constants by doing the sums. So
it is given a graph in which the large weights are inputs; they are put into the file afterwards,
one after another.
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
# A message of Protocol Buffers has less than 2 GiB, with some left for what is no large weight.
MOST_BYTES = 2**31 - 2**26
# Weights in a file of their own begin at pages of memory, for runtimes to map them.
PAGE = 4096
_PREFIX = "keras_video_weight_"
_CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"


def import_onnx():
    """The packages that write ONNX files.

    Raises:
        ImportError: saying what to install.
    """
    try:
        import onnx
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{error.name!r} is missing: ONNX files need pip install keras-video[onnx]."
        ) from error
    return onnx


def write_onnx(graph, path, properties, weights_apart=False):
    """Writes an ONNX file.

    Args:
        graph: the `Graph` of a model, on TensorFlow.
        path: the file.
        properties: `{name: text}` that the file carries.
        weights_apart: whether the large weights are in a file of their own, which runtimes map into
            memory. It is called as `path` and `.data`, and lies beside it. It is there in any case
            if all would not fit in one file of ONNX, which has less than 2 GiB.

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
    _write(converted, arrays, path, weights_apart, onnx)


def _convert(graph, large):
    """The graph as ONNX, with inputs of these names for the large weights `{name: variable}`."""
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
    with _small_constants_alone(), for_another_runtime():
        converted, _ = tf2onnx.convert.from_function(forward, [graph.inputs, weights])
    return converted


@contextlib.contextmanager
def _functions_inlined(tf):
    """What is traced here calls no functions: the converter does not know those that XLA compiles.

    Keras computes convolutions of groups in such functions.
    """
    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eagerly)


@contextlib.contextmanager
def _small_constants_alone():
    """The converter does no sums of constants whose results are large, and copies no graph.

    It keeps every constant once for each of its two dozen passes; and it copies the graph before
    each pass, to go back to it after an error.
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
    """Gives the outputs of a graph these names, in their order."""
    renamed = dict(zip([one.name for one in graph.output], names, strict=True))
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for one in graph.output:
        one.name = renamed[one.name]


def _name_axes(graph, weights):
    """Names the open axes of what goes in and comes out; the first is `batch`."""
    names = ("batch", "frames", "height", "width")
    for one in (*graph.input, *graph.output):
        if one.name in weights:
            continue
        frames = len(one.type.tensor_type.shape.dim) == 5
        for axis, dim in enumerate(one.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and (axis == 0 or frames):
                dim.dim_param = names[axis]


def _express_erfc(graph, make_node):
    """Writes `erfc(x)`, which ONNX does not have, as `1 - erf(x)`: Keras' exact GELU needs it."""
    nodes = []
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        (x,), (y,) = node.input, node.output
        erf, one = f"{y}/erf", f"{y}/one"
        nodes += [
            make_node("Constant", [], [one], value_float=1.0),
            make_node("Erf", [x], [erf]),
            make_node("Sub", [one, erf], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def _set_groups(converted, onnx):
    """Gives convolutions of clips their groups, which the converter takes for one."""
    graph = onnx.shape_inference.infer_shapes(converted).graph
    shapes = {one.name: one.dims for one in graph.initializer}
    for one in (*graph.input, *graph.value_info):
        shapes[one.name] = [dim.dim_value for dim in one.type.tensor_type.shape.dim]
    for node in converted.graph.node:
        if node.op_type == "Conv":
            channels, of_a_group = (shapes[name][1] for name in node.input[:2])
            group = next(one for one in node.attribute if one.name == "group")
            group.i = max(1, channels // of_a_group)  # 0 channels: their number is not known


class _Arrays:
    """Weights by the names of the graph, each made when it is asked for, so one at a time."""

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
        """That the weights of these names take together."""
        variables = [self._makers[name][0] for name in names]
        return sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in variables)

    def derive(self, name, source, change):
        """Adds what `change` makes of the array of another name."""
        variable, changes = self._makers[source]
        self._makers[name] = (variable, (*changes, change))


def _fold(graph, arrays, onnx):
    """Does at once what the graph does to the form of a weight alone."""
    constants = {one.name: one for one in graph.initializer}
    kept = []
    for node in graph.node:
        source = node.input[0] if node.input else None
        change = _form_change(node, constants, onnx) if source in arrays else None
        if change is None:
            kept.append(node)
        else:
            arrays.derive(node.output[0], source, change)
    del graph.node[:]
    graph.node.extend(kept)


def _form_change(node, constants, onnx):
    """What a node does to its first input as a function of an array; None for other nodes."""
    values = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
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


def _write(converted, arrays, path, apart, onnx):
    """Writes the graph, and behind it the weights that its nodes take, as constants.

    Messages of Protocol Buffers that stand one behind another are one message: lists are joined.
    """
    inputs = [one for one in converted.graph.input if one.name not in arrays]
    del converted.graph.input[:]
    converted.graph.input.extend(inputs)
    used = {name for node in converted.graph.node for name in node.input}
    names = sorted(name for name in used if name in arrays)
    apart = apart or arrays.bytes_of(names) > MOST_BYTES
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("wb"))
        data_path = path.with_name(f"{path.name}.data")
        data = stack.enter_context(data_path.open("wb")) if apart else None
        file.write(converted.SerializeToString())
        for name in names:
            part = onnx.ModelProto()
            array = arrays[name]
            tensor = part.graph.initializer.add()
            tensor.name, tensor.dims[:] = name, array.shape
            tensor.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            if apart:
                _write_apart(tensor, array, data, data_path.name, onnx)
            else:
                tensor.raw_data = array.tobytes()
            file.write(part.SerializeToString())


def _write_apart(tensor, array, data, name, onnx):
    """Puts a weight at the end of the file `data`, and where it lies into the graph's."""
    data.seek(-data.tell() % PAGE, os.SEEK_CUR)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    where = {"location": name, "offset": data.tell(), "length": array.nbytes}
    for key, value in where.items():
        tensor.external_data.add(key=key, value=str(value))
    data.write(array.tobytes())
