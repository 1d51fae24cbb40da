"""Export to files that run without Keras: SavedModel, ONNX, LiteRT, with metadata."""

import json
import tempfile
import zipfile
from pathlib import Path

import keras

from keras_video.inference import onnx_files
from keras_video.inference.graph import Graph, save_graph
from keras_video.inference.pixel_input import pixel_input
from keras_video.inference.quantization import (
    check_quantization,
    quantize_onnx,
    quantized_litert,
)

# File suffix by format; a SavedModel is a folder.
SUFFIXES = {"tf_saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
EXPORT_FORMATS = tuple(SUFFIXES)
METADATA = "keras_video.json"


def export_model(
    model,
    path,
    format="tf_saved_model",
    *,
    batch_size=None,
    pixels=False,
    frame_size=None,
    quantize=None,
    calibration=None,
):
    """Writes a model for inference, together with its class names and preprocessing.

    The file has the input `clip`: normalized float32 clips of the model's input shape; or with
    `pixels=True` the input `pixels`: uint8 RGB frames `(batch, frames, height, width, channels)`.
    Models with several inputs keep their names. A classifier returns `scores` `(batch, classes)`.
    The metadata describes the inputs and the remaining preprocessing, see `read_metadata`.

    Args:
        model: a functional model of `keras_video.applications`.
        path: a folder to create for "tf_saved_model", a file `*.onnx` or `*.tflite`. Large weights
            of more than 2 GiB do not fit in an ONNX file: they are written to `*.onnx.data` next
            to it, and both must be moved together.
        format: "tf_saved_model" for TensorFlow and TensorFlow Serving, "onnx" for ONNX Runtime and
            others (needs the extra `onnx`), "litert" for phones and small devices (formerly
            TensorFlow Lite).
        batch_size: clips per batch; `None` for any number.
        pixels: whether frames are normalized in the file as `model.protocol` specifies, and with
            `frame_size` resized and center-cropped before. If the protocol has several crops per
            frame, only the center crop is used.
        frame_size: with `pixels`, height and width of the frames, `(None, None)` for any. `None`:
            frames have the model's input size; a model of any input size takes frames of any size.
        quantize: for "litert", the weights as "float16" or "int8"; for "onnx", "int8": unsigned
            8-bit weights and dynamically quantized activations. Inputs and outputs keep their
            types. Operations without an int8 kernel, such as 3-D convolutions, stay float32 in
            LiteRT.
        calibration: for "litert" with "int8", batches of the file's inputs (a dataset; labels are
            ignored), from which the ranges of all activations are taken, so that operations are
            computed in int8 as well. A hundred clips are usually enough; all are used.

    Returns:
        The path.

    Raises:
        ValueError: for an unknown format or quantization, a path or option that does not fit it, a
            model that cannot take pixels, calibration clips that do not fit the file, or a backend
            other than TensorFlow.
        ImportError: if the packages for "onnx" are missing.
    """
    path = Path(path)
    check(path, format)
    check_quantization(format, quantize, calibration)
    if frame_size is not None and not pixels:
        raise ValueError(f"frame_size={frame_size!r}: has no effect without pixels=True.")
    graph = Graph(model, batch_size, pixel_input(model, frame_size) if pixels else None)
    facts = json.dumps(metadata(graph, quantize, calibration), indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "tf_saved_model":
        write_saved_model(graph, path, facts)
    elif format == "onnx":
        write_onnx(graph, path, facts, quantize)
    else:
        write_litert(graph, path, facts, quantize, calibration)
    return path


def check(path, format):
    """Raises a ValueError for an unknown format, a wrong suffix, or a backend without export."""
    if format not in SUFFIXES:
        raise ValueError(f"format={format!r}: expected one of {', '.join(SUFFIXES)}.")
    if path.suffix in SUFFIXES.values() and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: does not fit format={format!r}.")
    if SUFFIXES[format] and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: expected a name that ends in {SUFFIXES[format]}.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"The backend is {keras.backend.backend()!r}: export needs TensorFlow. "
            "Save the model as .keras and restart with KERAS_BACKEND=tensorflow."
        )


def metadata(graph, quantize=None, calibration=None):
    """The metadata that `read_metadata` returns."""
    model = graph.model
    return {
        "model": model.name,
        "class_names": getattr(model, "class_names", None),
        "preprocessing": getattr(model, "preprocessing", None),
        "inputs": {
            name: {"shape": list(spec.shape), "dtype": spec.dtype.name}
            for name, spec in graph.inputs.items()
        },
        "outputs": list(graph.outputs),
        "in_graph": graph.pixels and graph.pixels.facts(),
        "quantize": quantize and {"weights": quantize, "calibrated": calibration is not None},
    }


def write_saved_model(graph, path, facts):
    """Writes a SavedModel, with the metadata in its folder `assets.extra`."""
    save_graph(graph, path)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(facts, encoding="utf-8")


def write_onnx(graph, path, facts, quantize):
    """Writes an ONNX file, with the metadata as one of its properties."""
    onnx_files.write_onnx(graph, path, {METADATA: facts})
    if quantize is not None:
        quantize_onnx(path, {METADATA: facts})


def write_litert(graph, path, facts, quantize, calibration):
    """Writes a LiteRT file that uses only built-in operations.

    The metadata is in a zip archive appended to the model, like LiteRT's own associated files.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_graph(graph, folder)
        if quantize is None:
            content = converted_saved_model(folder)
        else:
            content = quantized_litert(folder, graph, quantize, calibration)
        path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, facts)


def converted_saved_model(folder):
    """A SavedModel as the bytes of a LiteRT file.

    The public `TFLiteConverter.from_saved_model` restores the weights two more times and then
    parses the file in Python to deduplicate constants.
    """
    from tensorflow.lite.python import lite

    class Converter(lite.TFLiteSavedModelConverterV2):
        def convert(self):
            return self._convert_from_saved_model(None)

        def _optimize_tflite_model(self, model, *args, **kwargs):
            return model

    return Converter(folder, {"serve"}, ["serving_default"]).convert()
