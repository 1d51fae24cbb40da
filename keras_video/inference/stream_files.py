"""Export of one step of a stream to a file that runs without Keras: SavedModel, ONNX, LiteRT."""

import json
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_video.inference.export import METADATA, SUFFIXES
from keras_video.inference.exported import kind, read_metadata
from keras_video.inference.onnx_files import import_onnx
from keras_video.inference.stream import BaseStream
from keras_video.inference.stream_step import FRAMES, SCORES, step_network

# Prefix of the names of the state outputs, before the name of the matching input.
NEXT = "next_"
QUANTIZATIONS = ("float16", "int8")


def export_stream(
    model,
    path,
    format="tf_saved_model",
    *,
    streams=1,
    frames=1,
    window=None,
    quantization=None,
):
    """Writes one step of a causal model: the next frames and the state in, scores and state out.

    The inputs are `frames`, preprocessed float32 `(streams, frames, height, width, channels)`, and
    the state arrays, which start as zeros. The outputs are `scores` `(streams, classes)` and,
    for each state array, its next value with the name prefix `next_`, to be fed to the next step.
    `load_exported_stream` runs such a file; the metadata lists the state.

    Args:
        model: as for `keras_video.inference.Stream`.
        path: a folder to create for "tf_saved_model", a file `*.onnx` or `*.tflite`.
        format: "tf_saved_model", "onnx" (needs the extra `onnx`) or "litert".
        streams: number of videos processed in parallel.
        frames: frames per step.
        window: number of latest frames whose mean is classified; `None` for all.
        quantization: for "litert", stores the weights as "float16", or as "int8" with a scale per
            channel. Inputs, outputs and the state stay float32: sums over a video have no
            bounds that would suit 8 bits.

    Returns:
        The path.

    Raises:
        ValueError: for a model that cannot be run as a stream, an unknown format or quantization, a
            path that does not match it, or a backend other than TensorFlow.
        ImportError: if the packages for "onnx" are missing.
    """
    path = Path(path)
    check(path, format, quantization)
    if None in model.input_shape[2:]:
        raise ValueError(f"{model.name!r} takes frames of any size: build it for a fixed size.")
    step = step_network(model, streams, frames=frames, window=window)
    facts = json.dumps(metadata(model, step, (streams, frames)), indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "tf_saved_model":
        write_saved_model(step, path, facts)
    elif format == "onnx":
        write_onnx(step, path, facts)
    else:
        write_litert(step, path, facts, quantization)
    return path


def check(path, format, quantization):
    """Raises a ValueError for unsupported export arguments."""
    if format not in SUFFIXES:
        raise ValueError(f"format={format!r}: expected one of {', '.join(SUFFIXES)}.")
    if path.suffix in SUFFIXES.values() and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: expected a name for format={format!r}.")
    if SUFFIXES[format] and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: expected a name that ends in {SUFFIXES[format]}.")
    if quantization is not None and format != "litert":
        raise ValueError(f"quantization={quantization!r}: only with format='litert'.")
    if quantization not in (None, *QUANTIZATIONS):
        raise ValueError(f"quantization={quantization!r}: expected None, 'float16' or 'int8'.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"The backend is {keras.backend.backend()!r}: models are exported with TensorFlow. "
            "Save the model as .keras and restart with KERAS_BACKEND=tensorflow."
        )


def step_function(step):
    """The step as a function of a dictionary of inputs, and its input signature."""
    network = step.network
    signature = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for name, tensor in network.input.items()
    }

    @tf.function(autograph=False)
    def advance(inputs):
        outputs = network(inputs, training=False)
        return {
            name if name == SCORES else NEXT + name: tf.identity(value)
            for name, value in outputs.items()
        }

    return advance, signature


def save(step, folder):
    """Writes a SavedModel with named inputs and outputs."""
    advance, signature = step_function(step)

    @tf.function(autograph=False)
    def serve(**inputs):
        return advance(inputs)

    module = tf.Module()
    module.weights = [variable.value for variable in step.network.weights]
    function = serve.get_concrete_function(**signature)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})


def metadata(model, step, shape):
    """The metadata, as in `export_model`, plus the state; see `read_metadata`."""
    return {
        "model": model.name,
        "class_names": getattr(model, "class_names", None),
        "preprocessing": getattr(model, "preprocessing", None),
        "inputs": {FRAMES: {"shape": [*shape, *model.input_shape[2:]], "dtype": "float32"}},
        "state": {
            name: {"shape": list(size), "dtype": dtype}
            for name, (size, dtype) in step.state.items()
        },
        "frame_count": step.count,
    }


def write_saved_model(step, path, facts):
    """Writes a SavedModel, with the metadata in its folder for assets unused by the graph."""
    save(step, path)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(facts, encoding="utf-8")


def write_onnx(step, path, facts):
    """Writes an ONNX file, with the metadata as a model property."""
    onnx = import_onnx()
    import tf2onnx
    from keras.src.export.tf2onnx_lib import patch_tf2onnx  # no public API: NumPy 2
    from tensorflow.python.framework import convert_to_constants  # no public API

    patch_tf2onnx()
    advance, signature = step_function(step)
    function = advance.get_concrete_function(signature)
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    outputs = dict(zip(sorted(function.structured_outputs), frozen.outputs, strict=True))
    inputs = [tensor.name for tensor in frozen.inputs]
    exported, _ = tf2onnx.convert.from_graph_def(
        with_vectors(frozen.graph.as_graph_def()),
        input_names=inputs,
        output_names=[tensor.name for tensor in outputs.values()],
        tensors_to_rename={
            **{name: name.removesuffix(":0") for name in inputs},
            **{tensor.name: name for name, tensor in outputs.items()},
        },
    )
    onnx.helper.set_model_props(exported, {METADATA: facts})
    onnx.save(exported, path)


def with_vectors(graph):
    """Replaces scalar operands of broadcasting operations with vectors of one element.

    The converter's transpose removal, without which files run several times slower, gives up at
    the addition of a scalar.
    """
    broadcasting = ("Add", "AddV2", "Mul", "Sub", "RealDiv", "Maximum", "Minimum")
    operands = {name for node in graph.node if node.op in broadcasting for name in node.input}
    for node in graph.node:
        value = node.attr["value"].tensor if node.op == "Const" else None
        if (
            value is not None
            and node.name in operands
            and value.dtype == tf.float32.as_datatype_enum
            and not value.tensor_shape.dim
        ):
            value.tensor_shape.dim.add().size = 1
    return graph


def write_litert(step, path, facts, quantization):
    """Writes a LiteRT file with built-in operations only; metadata as in `export_model`."""
    with tempfile.TemporaryDirectory() as folder:
        save(step, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantization is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(converter.convert())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, facts)


class ExportedStream(BaseStream):
    """A stream exported by `export_stream`, with the interface of `Stream`."""

    def __init__(self, facts, call):
        self._call = call
        (spec,) = facts["inputs"].values()
        streams, frames, *image = spec["shape"]
        state = {name: (array["shape"], array["dtype"]) for name, array in facts["state"].items()}
        super().__init__((streams, *image), state, facts["frame_count"], frames)

    def _run(self, inputs):
        outputs = self._call(inputs)
        return {name.removeprefix(NEXT): np.array(value) for name, value in outputs.items()}


def load_exported_stream(path, *, threads=None):
    """Loads a file written by `export_stream`, to run on the CPU without Keras.

    Args:
        path: folder of a SavedModel, `*.onnx` or `*.tflite`.
        threads: number of threads for a LiteRT file; chosen by the runtime if not given.

    Returns:
        A stream like `keras_video.inference.Stream`, which takes the number of frames per step that
        the file was exported for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file has another format, was not written by `export_stream`, or `threads`
            is given for another format.
        ImportError: for ONNX without `onnxruntime`.
    """
    path = Path(path)
    facts = read_metadata(path)
    if "state" not in facts:
        raise ValueError(f"{path} takes whole clips: expected a file of export_stream.")
    if threads is not None and kind(path) != "litert":
        raise ValueError(f"threads={threads}: only for LiteRT files.")
    return ExportedStream(facts, LOADERS[kind(path)](path, threads))


def load_saved_model(path, threads):
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]

    def call(inputs, owner=loaded):  # keeps the variables alive
        return function(**{name: tf.constant(value) for name, value in inputs.items()})

    return call


def load_onnx(path, threads):
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("'onnxruntime' is missing: pip install keras-video[onnx].") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def load_litert(path, threads):
    runner = tf.lite.Interpreter(str(path), num_threads=threads).get_signature_runner()
    return lambda inputs: runner(**inputs)


LOADERS = {"tf_saved_model": load_saved_model, "onnx": load_onnx, "litert": load_litert}
