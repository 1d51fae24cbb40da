"""One step of a stream as a file that runs without Keras: SavedModel, ONNX, LiteRT."""

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

# What the outputs with the state are called: the inputs' names with this before them.
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

    The inputs are `frames`, prepared float32 `(streams, frames, height, width, channels)`, and the
    arrays of the state, which start as zeros. The outputs are `scores` `(streams, classes)` and
    for each array of the state one named `next_` and its name, the input of the next step.
    `load_exported_stream` runs such a file, and the metadata names the state.

    Args:
        model: as for `keras_video.inference.Stream`.
        path: a folder that is made for "tf_saved_model", a file `*.onnx` or `*.tflite`.
        format: "tf_saved_model", "onnx" (needs the extra `onnx`) or "litert".
        streams: videos that are followed at once.
        frames: frames of a step.
        window: frames whose mean is classified, the latest; `None` for all.
        quantization: for "litert" the weights as "float16", or as "int8" with a scale for every
            channel. Inputs, outputs and the state stay float32: sums over a video have no bounds
            that 8 bits could hold.

    Returns:
        The path.

    Raises:
        ValueError: for a model that cannot be run as a stream, an unknown format or quantization, a
            path that does not fit it, or another backend than TensorFlow.
        ImportError: if the packages for "onnx" are missing.
    """
    path = Path(path)
    check(path, format, quantization)
    if None in model.input_shape[2:]:
        raise ValueError(f"{model.name!r} takes frames of any size: build it for a known one.")
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
    """Refuses what cannot be written."""
    if format not in SUFFIXES:
        raise ValueError(f"format={format!r}: expected one of {', '.join(SUFFIXES)}.")
    if path.suffix in SUFFIXES.values() and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: is not what format={format!r} is called.")
    if SUFFIXES[format] and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: expected a name that ends in {SUFFIXES[format]}.")
    if quantization is not None and format != "litert":
        raise ValueError(f"quantization={quantization!r}: only with format='litert'.")
    if quantization not in (None, *QUANTIZATIONS):
        raise ValueError(f"quantization={quantization!r}: expected None, 'float16' or 'int8'.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"The backend is {keras.backend.backend()!r}: models are exported with TensorFlow. "
            "Save the model as .keras and start again with KERAS_BACKEND=tensorflow."
        )


def step_function(step):
    """A function of a dictionary of inputs, and their types."""
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
    """Writes a SavedModel whose inputs and outputs have their names."""
    advance, signature = step_function(step)

    @tf.function(autograph=False)
    def serve(**inputs):
        return advance(inputs)

    module = tf.Module()
    module.weights = [variable.value for variable in step.network.weights]
    function = serve.get_concrete_function(**signature)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})


def metadata(model, step, shape):
    """What `read_metadata` gives: that of `export_model`, and the state."""
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
    """Writes a SavedModel; the metadata is in its folder for assets that the graph does not use."""
    save(step, path)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(facts, encoding="utf-8")


def write_onnx(step, path, facts):
    """Writes an ONNX file; the metadata is one of its properties."""
    onnx = import_onnx()
    import tf2onnx
    from keras.src.export.tf2onnx_lib import patch_tf2onnx  # public nowhere: NumPy 2
    from tensorflow.python.framework import convert_to_constants  # public nowhere

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
    """The graph with vectors of one value in place of scalars that tensors are added to or times.

    The converter's removal of transpositions, without which files are several times slower, gives
    up at an addition of a scalar.
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
    """Writes a LiteRT file of built-in operations alone; the metadata is as in `export_model`."""
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
    """A file of `export_stream`, with the interface of `Stream`."""

    def __init__(self, facts, call):
        self._call = call
        (spec,) = facts["inputs"].values()
        streams, frames, *image = spec["shape"]
        state = {name: (each["shape"], each["dtype"]) for name, each in facts["state"].items()}
        super().__init__((streams, *image), state, facts["frame_count"], frames)

    def _run(self, inputs):
        outputs = self._call(inputs)
        return {name.removeprefix(NEXT): np.array(value) for name, value in outputs.items()}


def load_exported_stream(path, *, threads=None):
    """A file of `export_stream`, ready to run on the CPU without Keras.

    Args:
        path: folder of a SavedModel, `*.onnx` or `*.tflite`.
        threads: of a LiteRT file; as many as it likes if not given.

    Returns:
        A stream as `keras_video.inference.Stream`, which takes as many frames at a time as the file
        was written for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is of another kind, was not written by `export_stream`, or `threads`
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

    def call(inputs, owner=loaded):  # held, since the variables live as long as it does
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
