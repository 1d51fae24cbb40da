"""Models as files that run without Keras: SavedModel, ONNX, LiteRT, with how they are to be fed."""

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

# Formats, and what a file's name ends in; a SavedModel is a folder.
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
    """Writes a model for inference, and beside its weights the classes and the preprocessing.

    The file takes `clip`, what the model takes: normalized float32 clips of the model's input
    shape; or with `pixels=True` it takes `pixels`, uint8 RGB frames `(batch, frames, height, width,
    channels)`. Models of several inputs keep their names. A classifier gives `scores` `(batch,
    classes)`. The metadata says what the file takes and what is left to do, see `read_metadata`.

    Args:
        model: a functional model of `keras_video.applications`.
        path: a folder that is made for "tf_saved_model", a file `*.onnx` or `*.tflite`. Large
            weights of more than 2 GiB do not fit in an ONNX file: they are in `*.onnx.data` beside
            it then, and both are moved together.
        format: "tf_saved_model" for TensorFlow and its server, "onnx" for ONNX Runtime and others
            (needs the extra `onnx`), "litert" for phones and small devices (once TensorFlow Lite).
        batch_size: clips of a batch; `None` leaves it open.
        pixels: frames are normalized in the file as `model.protocol` says, and with `frame_size`
            resized and cropped in the middle before. A protocol with several crops of a frame
            loses the others: the file looks at the middle.
        frame_size: with `pixels`, height and width of the frames, `(None, None)` for any. `None`:
            frames have the model's input size; a model that takes any size takes any frames.
        quantize: for "litert", the weights as "float16" or "int8"; for "onnx", "int8" for weights
            whose activations are quantized as they come. Inputs and outputs keep their types.
            Operations without an int8 form, 3-D convolutions among them, stay float32 in LiteRT.
        calibration: for "litert" with "int8", batches of what the file takes (a dataset; labels are
            passed over), from which the ranges of all activations are taken, so that the
            operations work in int8 too. A hundred clips are usually enough; all are used.

    Returns:
        The path.

    Raises:
        ValueError: for an unknown format or quantization, a path or option that does not fit it, a
            model that cannot take pixels, calibration clips that the file does not take, or another
            backend than TensorFlow.
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
    """Refuses what cannot be written."""
    if format not in SUFFIXES:
        raise ValueError(f"format={format!r}: expected one of {', '.join(SUFFIXES)}.")
    if path.suffix in SUFFIXES.values() and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: is not what format={format!r} is called.")
    if SUFFIXES[format] and path.suffix != SUFFIXES[format]:
        raise ValueError(f"path={str(path)!r}: expected a name that ends in {SUFFIXES[format]}.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"The backend is {keras.backend.backend()!r}: models are exported with TensorFlow. "
            "Save the model as .keras and start again with KERAS_BACKEND=tensorflow."
        )


def metadata(graph, quantize=None, calibration=None):
    """What `read_metadata` gives."""
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
    """Writes a SavedModel; the metadata is in its folder for assets that the graph does not use."""
    save_graph(graph, path)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(facts, encoding="utf-8")


def write_onnx(graph, path, facts, quantize):
    """Writes an ONNX file; the metadata is one of its properties."""
    onnx_files.write_onnx(graph, path, {METADATA: facts})
    if quantize is not None:
        quantize_onnx(path, {METADATA: facts})


def write_litert(graph, path, facts, quantize, calibration):
    """Writes a LiteRT file of built-in operations alone.

    The metadata is a file of the zip archive behind the model, as LiteRT's own associated files.
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

    The public `TFLiteConverter.from_saved_model` restores the weights two more times and then takes
    the file apart in Python, to look for constants that are there twice.
    """
    from tensorflow.lite.python import lite

    class Converter(lite.TFLiteSavedModelConverterV2):
        def convert(self):
            return self._convert_from_saved_model(None)

        def _optimize_tflite_model(self, model, *args, **kwargs):
            return model

    return Converter(folder, {"serve"}, ["serving_default"]).convert()
