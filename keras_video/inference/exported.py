"""Loading and running of exported files: SavedModel, ONNX, LiteRT."""

import json
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_video.inference.export import METADATA


def read_metadata(path):
    """The metadata that `export_model` wrote into a file.

    Args:
        path: folder of a SavedModel, `*.onnx` or `*.tflite`.

    Returns:
        A dictionary: `model` (name), `class_names` (list or `None`), `preprocessing` (the fields
        of a `keras_video.zoo.Protocol`, or `None`), `inputs` (shape and type by name; an unknown
        dimension is `None`), `outputs` (names), `in_graph` (the preprocessing that is part of the
        file: `resize`, `center_crop` and `normalize`; `None` if it takes normalized clips),
        `quantize` (`weights` and whether they are `calibrated`, or `None`).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file has another format, or no such metadata.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        return json.loads(METADATA_READERS[kind(path)](path))
    except (KeyError, FileNotFoundError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} was not written by export_model: no {METADATA} in it.") from error


def load_exported(path):
    """Loads a file of `export_model` to run on the CPU without Keras.

    Args:
        path: folder of a SavedModel, `*.onnx` or `*.tflite`.

    Returns:
        A function from clips `(batch, frames, height, width, channels)`, float32, or uint8 for a
        file with `pixels`, or a dictionary of inputs by name, to float32 scores `(batch, classes)`,
        or to a list if there are several outputs, in the order of the metadata.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file has another format.
        ImportError: for ONNX without `onnxruntime`.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    names, call = LOADERS[kind(path)](path)

    def run(clips):
        inputs = clips if isinstance(clips, dict) else dict(zip(names, [clips], strict=True))
        outputs = call({name: np.asarray(value) for name, value in inputs.items()})
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        return [outputs[name] for name in read_metadata(path)["outputs"]]

    return run


def kind(path):
    """The format of a file, from its name.

    Raises:
        ValueError: if it is not an exported file.
    """
    if path.is_dir():
        return "tf_saved_model"
    if path.suffix not in (".onnx", ".tflite"):
        raise ValueError(f"{path}: expected the folder of a SavedModel, *.onnx or *.tflite.")
    return "onnx" if path.suffix == ".onnx" else "litert"


def load_saved_model(path):
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]
    names = list(function.structured_input_signature[1])

    def call(inputs, owner=loaded):  # keeps `loaded`, and with it the variables, alive
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return names, call


def load_onnx(path):
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("'onnxruntime' is missing: pip install keras-video[onnx].") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]
    return names, lambda inputs: dict(zip(outputs, session.run(None, inputs), strict=True))


def load_litert(path):
    runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    return list(runner.get_input_details()), lambda inputs: runner(**inputs)


LOADERS = {"tf_saved_model": load_saved_model, "onnx": load_onnx, "litert": load_litert}


def saved_model_metadata(path):
    return (path / "assets.extra" / METADATA).read_text(encoding="utf-8")


def onnx_metadata(path):
    from keras_video.inference.onnx_files import import_onnx

    properties = import_onnx().load(path, load_external_data=False).metadata_props
    return {entry.key: entry.value for entry in properties}[METADATA]


def litert_metadata(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read(METADATA)


METADATA_READERS = {
    "tf_saved_model": saved_model_metadata,
    "onnx": onnx_metadata,
    "litert": litert_metadata,
}
