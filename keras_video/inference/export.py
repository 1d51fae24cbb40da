"""Models as files that run without Keras: SavedModel, ONNX, LiteRT, with how they are to be fed."""

import json
import tempfile
import zipfile
from pathlib import Path

import keras

from keras_video.inference import onnx_files

# Formats, and what a file's name ends in; a SavedModel is a folder.
SUFFIXES = {"tf_saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
EXPORT_FORMATS = tuple(SUFFIXES)
METADATA = "keras_video.json"


def export_model(model, path, format="tf_saved_model", *, batch_size=None):
    """Writes a model for inference, and beside its weights the classes and the preprocessing.

    The file takes what the model takes: normalised float32 clips of the model's input shape. The
    metadata says how these are made, see `read_metadata`.

    Args:
        model: a functional model of `keras_video.applications`.
        path: a folder that is made for "tf_saved_model", a file `*.onnx` or `*.tflite`.
        format: "tf_saved_model" for TensorFlow and its server, "onnx" for ONNX Runtime and others
            (needs the extra `onnx`), "litert" for phones and small devices (once TensorFlow Lite).
        batch_size: clips of a batch; `None` leaves it open.

    Returns:
        The path.

    Raises:
        ValueError: for an unknown format, a path that does not fit it, or another backend than
            TensorFlow.
        ImportError: if the packages for "onnx" are missing.
    """
    path = Path(path)
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
    signature = [keras.tree.map_structure(lambda x: input_spec(x, batch_size), model.input)]
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[format](model, path, signature, json.dumps(metadata(model, batch_size), indent=1))
    return path


def input_spec(tensor, batch_size):
    """The shape, type and name of an input."""
    shape = (batch_size, *tensor.shape[1:])
    return keras.InputSpec(shape=shape, dtype=tensor.dtype, name=tensor.name)


def metadata(model, batch_size):
    """What `read_metadata` gives."""
    return {
        "model": model.name,
        "class_names": getattr(model, "class_names", None),
        "preprocessing": getattr(model, "preprocessing", None),
        "inputs": {
            tensor.name: {"shape": [batch_size, *tensor.shape[1:]], "dtype": tensor.dtype}
            for tensor in model.inputs
        },
    }


def write_saved_model(model, path, signature, facts):
    """Writes a SavedModel; the metadata is in its folder for assets that the graph does not use."""
    model.export(path, format="tf_saved_model", input_signature=signature, verbose=False)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(facts, encoding="utf-8")


def write_onnx(model, path, signature, facts):
    """Writes an ONNX file; the metadata is one of its properties."""
    onnx_files.write_onnx(model, path, signature, {METADATA: facts})


def write_litert(model, path, signature, facts):
    """Writes a LiteRT file of built-in operations alone.

    The metadata is a file of the zip archive behind the model, as LiteRT's own associated files.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", input_signature=signature, verbose=False)
        path.write_bytes(converted_saved_model(folder))
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


WRITERS = {"tf_saved_model": write_saved_model, "onnx": write_onnx, "litert": write_litert}
