"""Checks of untrusted Keras files before Keras opens them.

A `.keras` file names the classes that it is built from. Some of Keras' own classes run code from
the file (`Lambda`, `TFSMLayer`) or read other files (lookup layers), and Keras versions differ in
which of them they reject. So a file may only name classes that classifiers are built from, and
classes registered in this process.
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
# Size limits of a `.keras` file's parts; for weights the limit depends on their compressed size.
_MAX_BYTES = {"metadata.json": 1 << 20, _CONFIG: 1 << 26, _WEIGHTS: None}
_MAX_RATIO = 100
_PLAIN_TYPES = {
    *("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"),
}
# Modules of which any class is allowed.
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
# Layers that run code from a file, or read other files.
_UNSAFE = {
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup"),
}
# Modules of which functions are allowed; "builtins" means any of them.
_FUNCTION_MODULES = ("activations", "constraints", "initializers", "losses", "metrics")
_FUNCTION_MODULES += ("optimizers", "regularizers")
_LOOKUPS = ("get", "serialize", "deserialize")
_CLASS_KEYS = ("class_name", "module", "registered_name")
# The prefix under which KerasHub registers its classes, and the modules of those that networks use;
# others, such as tokenizers, read files.
_HUB = "keras_hub>"
_HUB_MODULES = re.compile(
    r"keras_hub\.src\.(models\.\w+\.\w+_(backbone|encoder|layers?)|layers\.modeling\.\w+)"
)


def load_model(path: str | os.PathLike, *, compile: bool = False) -> keras.Model:
    """Loads a `.keras` file after checking it with `check_keras_file`.

    This is `keras_video.load_model`. Keras' own `keras.models.load_model` opens the files of this
    package too, but without checking them, and only in a program that has imported `keras_video`,
    which registers its classes.

    Args:
        path: the file.
        compile: whether to compile the model as when it was saved.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: it has a KerasHub backbone, and KerasHub is not installed.
        UnsafeFileError: the file could run code, read other files or exhaust the memory.
        ValueError: it is not a `.keras` file, or does not match the classes it names.
    """
    check_keras_file(path)
    return keras.models.load_model(os.fspath(path), compile=compile, safe_mode=True)


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Loads a `.weights.h5` or `.h5` file after checking it with `check_hdf5`.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: the file could read other files or exhaust the memory.
        ValueError: the weights do not match the model.
    """
    path = _existing(path)
    check_hdf5(str(path), str(path))
    model.load_weights(path)


def check_keras_file(path: str | os.PathLike) -> None:
    """Checks a `.keras` file without running or loading any of it.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: it has parts other than the three that Keras writes for a classifier, a
            part twice, or one that expands excessively; names a class that is unknown, or can run
            code or read files; or its weights fail `check_hdf5`.
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
    expected = f"expected {', '.join(_MAX_BYTES)}, each once"
    for name in names:
        if name not in _MAX_BYTES or names.count(name) > 1:
            raise UnsafeFileError(f"{path}: received the part {name!r:.200}, {expected}")
    if missing := [name for name in (_CONFIG, _WEIGHTS) if name not in names]:
        raise UnsafeFileError(f"{path}: received no part {', '.join(missing)}, {expected}")
    for part in archive.infolist():
        limit = _MAX_BYTES[part.filename] or (1 << 20) + _MAX_RATIO * part.compress_size
        if part.file_size > limit or part.compress_size > path.stat().st_size:
            raise UnsafeFileError(
                f"{path}: {part.filename} is of {part.file_size} bytes, {part.compress_size} in "
                f"the file of {path.stat().st_size}, expected at most {limit}"
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
        # HDF5 seeks back and forth, for which zip would decompress repeatedly.
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(part, unpacked)
            check_hdf5(unpacked, name)


def _check_config(config, path):
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                _check_class(value, path)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _check_class(entry, path):
    """Rejects a config entry whose class is unknown or unsafe."""
    name, module, registered = (entry.get(key) for key in _CLASS_KEYS)
    if not all(isinstance(value, str | None) for value in (name, module, registered)):
        raise UnsafeFileError(f"{path}: {_shown(entry)}: expected names of classes")
    if name in _PLAIN_TYPES:
        return
    if name == "function":
        if not _is_known_function(entry.get("config"), module):
            raise UnsafeFileError(f"{path}: {_shown(entry)}: expected a function of Keras' layers")
        return
    if name in _UNSAFE or registered in _UNSAFE:
        raise UnsafeFileError(
            f"{path}: {_shown(entry)}: {name} can run code or read files, expected none"
        )
    # Without a module, Keras uses its Keras 2 code path.
    if not name or not module or not _is_known_class(name, module, registered):
        raise UnsafeFileError(
            f"{path}: {_shown(entry)}: expected a class of Keras' layers, or one that is "
            "registered in this process (import the code that defines it first)"
        )


def _is_known_class(name, module, registered):
    if registered and registered.startswith(_HUB) and "keras_hub" not in sys.modules:
        return _is_hub_network_class(registered)
    if registered and keras.saving.get_registered_object(registered):
        return True
    if not re.fullmatch("[A-Z][A-Za-z0-9_]*", name):
        return False
    return bool(_MODULES.fullmatch(module)) or name in _CLASSES.get(module, ())


def _is_hub_network_class(registered):
    """Whether a class of KerasHub is one that networks use; imports KerasHub."""
    try:
        import keras_hub  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"the file names the class {registered!r} of KerasHub: pip install "
            "keras-video[keras-hub]"
        ) from error
    cls = keras.saving.get_registered_object(registered)
    return cls is not None and bool(_HUB_MODULES.fullmatch(cls.__module__))


def _is_known_function(name, module):
    if not isinstance(name, str):
        return False
    if keras.saving.get_registered_object(name):
        return True
    modules = [part for part in _FUNCTION_MODULES if module in ("builtins", f"keras.{part}")]
    exists = any(callable(getattr(getattr(keras, part), name, None)) for part in modules)
    return exists and name not in _LOOKUPS


def _shown(entry):
    shown = {key: entry[key] for key in _CLASS_KEYS if entry.get(key) is not None}
    if entry["class_name"] == "function":
        shown["config"] = entry.get("config")
    return f"{shown!r:.300}"
