"""Files of Keras from anywhere, looked through before Keras opens them.

A `.keras` file names the classes that it is made of. Some of Keras' own run code that the file
brings along (`Lambda`, `TFSMLayer`) or read other files (lookup layers), and versions of Keras
differ in which of them they refuse. So here a file may only name what classifiers are made of, and
classes that somebody has registered in this process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import keras

from keras_video.weights.hdf5 import UnsafeFileError, check_hdf5
from keras_video.weights.stored_part import StoredPart

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# Most bytes of what a `.keras` file consists of; weights may take as much as they take in the file.
_LARGEST = {"metadata.json": 1 << 20, _CONFIG: 1 << 26, _WEIGHTS: None}
_LARGEST_RATIO = 100
_PLAIN_TYPES = {
    *("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"),
}
# Modules from which any class may be named.
_MODULES = re.compile(
    r"keras\.(layers|initializers|regularizers|constraints|activations|optimizers"
    r"|optimizers\.schedules|losses|metrics|dtype_policies|quantizers)"
    r"|keras\.src\.ops\.(numpy|nn|core|math|image|linalg)"
)
_CLASSES = {
    "keras": {
        "DTypePolicy",
        "DTypePolicyMap",
        "FloatDTypePolicy",
        "Functional",
        "Model",
        "Sequential",
    },
    "keras.models": {"Functional", "Model", "Sequential"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.model": {"Model"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.src.trainers.compile_utils": {"CompileLoss", "CompileMetrics", "MetricsList"},
}
# Layers that run what a file brings along, or read other files.
_REFUSED = {
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup"),
}
# Modules from which functions may be named; "builtins" stands for any of them.
_FUNCTION_MODULES = ("activations", "constraints", "initializers", "losses", "metrics")
_FUNCTION_MODULES += ("optimizers", "regularizers")
_LOOKUPS = ("get", "serialize", "deserialize")
_CLASS_KEYS = ("class_name", "module", "registered_name")
# What KerasHub's classes are registered under, and the modules of those that a network is made of:
# tokenizers and the like read files.
_HUB = "keras_hub>"
_HUB_PARTS = re.compile(
    r"keras_hub\.src\.(models\.\w+\.\w+_(backbone|encoder|layers?)|layers\.modeling\.\w+)"
)


def load_model(path: str | os.PathLike, *, compile: bool = False) -> keras.Model:
    """Loads a `.keras` file that was looked through, see `check_keras_file`.

    This is `keras_video.load_model`. Keras' own `keras.models.load_model` opens the files of this
    package too, but only in a program that has imported `keras_video`, which registers its classes,
    and without looking through them.

    Args:
        path: the file.
        compile: whether to compile the model as it was when it was saved.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: it has a body of KerasHub, which is not installed.
        UnsafeFileError: the file could run code, read other files or fill the memory.
        ValueError: it is no `.keras` file, or does not fit the classes it names.
    """
    check_keras_file(path)
    return keras.models.load_model(os.fspath(path), compile=compile, safe_mode=True)


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Loads a `.weights.h5` or `.h5` file that was looked through, see `check_hdf5`.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: the file could read other files or fill the memory.
        ValueError: the weights do not fit the model.
    """
    path = _existing(path)
    check_hdf5(str(path), str(path))
    model.load_weights(path)


def check_keras_file(path: str | os.PathLike) -> None:
    """Looks through a `.keras` file, running and loading nothing of it.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: it has other parts than the three that Keras writes for a classifier, or
            a part twice, or much larger than in the file; names a class that is not known here,
            or that can run code or read files; or its weights do, see `check_hdf5`.
        ValueError: its name does not end in `.keras`.
    """
    path = _existing(path)
    if path.suffix != ".keras":
        raise ValueError(f"received {str(path)!r}, expected a .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_parts(archive, path)
            _check_config(_read_json(archive.read(_CONFIG), path), path)
            _check_weights(archive, path)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise UnsafeFileError(f"{path}: expected a .keras file: {error}") from error


def _existing(path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"received {str(path)!r}, expected a file; there is none")
    return path


def _check_parts(archive, path):
    names = [part.filename for part in archive.infolist()]
    expected = f"expected {', '.join(_LARGEST)}, each once"
    for name in names:
        if name not in _LARGEST or names.count(name) > 1:
            raise UnsafeFileError(f"{path}: received the part {name!r:.200}, {expected}")
    if missing := [name for name in (_CONFIG, _WEIGHTS) if name not in names]:
        raise UnsafeFileError(f"{path}: received no part {', '.join(missing)}, {expected}")
    for part in archive.infolist():
        most = _LARGEST[part.filename] or (1 << 20) + _LARGEST_RATIO * part.compress_size
        if part.file_size > most or part.compress_size > path.stat().st_size:
            raise UnsafeFileError(
                f"{path}: {part.filename} is of {part.file_size} bytes, {part.compress_size} in "
                f"the file of {path.stat().st_size}, expected at most {most}"
            )
        if part.flag_bits & 1:
            raise UnsafeFileError(f"{path}: {part.filename} is encrypted")


def _read_json(text, path):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{path}: expected JSON in {_CONFIG}: {error}") from error


def _check_weights(archive, path):
    name = f"{path}/{_WEIGHTS}"
    with archive.open(_WEIGHTS) as part:
        if archive.getinfo(_WEIGHTS).compress_type == zipfile.ZIP_STORED:
            with StoredPart(path, archive.getinfo(_WEIGHTS)) as stored:
                check_hdf5(stored, name)
            return
        # HDF5 goes to and fro, for which zip would unpack again and again.
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(part, unpacked)
            check_hdf5(unpacked, name)


def _check_config(config, path):
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                _check_class(value, path)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_class(entry, path):
    """Whether what Keras makes of an entry of the config is known, and harmless."""
    name, module, registered = (entry.get(key) for key in _CLASS_KEYS)
    if not all(isinstance(one, str | None) for one in (name, module, registered)):
        raise UnsafeFileError(f"{path}: {_shown(entry)}: expected names of classes")
    if name in _PLAIN_TYPES:
        return
    if name == "function":
        if not _is_known_function(entry.get("config"), module):
            raise UnsafeFileError(f"{path}: {_shown(entry)}: expected a function of Keras' layers")
        return
    if name in _REFUSED or registered in _REFUSED:
        raise UnsafeFileError(
            f"{path}: {_shown(entry)}: {name} can run code or read files, expected none"
        )
    # Without a module Keras takes a way of its own, for files of Keras 2.
    if not name or not module or not _is_known_class(name, module, registered):
        raise UnsafeFileError(
            f"{path}: {_shown(entry)}: expected a class of Keras' layers, or one that is "
            "registered in this process (import the code that defines it first)"
        )


def _is_known_class(name, module, registered):
    if registered and registered.startswith(_HUB) and "keras_hub" not in sys.modules:
        return _is_part_of_hub(registered)
    if registered and keras.saving.get_registered_object(registered):
        return True
    if not re.fullmatch("[A-Z][A-Za-z0-9_]*", name):
        return False
    return bool(_MODULES.fullmatch(module)) or name in _CLASSES.get(module, ())


def _is_part_of_hub(registered):
    """Whether a class of KerasHub, which this imports, is one that networks are made of."""
    try:
        import keras_hub  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"the file names the class {registered!r} of KerasHub: pip install "
            "keras-video[keras-hub]"
        ) from error
    found = keras.saving.get_registered_object(registered)
    return found is not None and bool(_HUB_PARTS.fullmatch(found.__module__))


def _is_known_function(name, module):
    if not isinstance(name, str):
        return False
    if keras.saving.get_registered_object(name):
        return True
    modules = [one for one in _FUNCTION_MODULES if module in ("builtins", f"keras.{one}")]
    found = any(callable(getattr(getattr(keras, one), name, None)) for one in modules)
    return found and name not in _LOOKUPS


def _shown(entry):
    shown = {key: entry[key] for key in _CLASS_KEYS if entry.get(key) is not None}
    if entry["class_name"] == "function":
        shown["config"] = entry.get("config")
    return f"{shown!r:.300}"
