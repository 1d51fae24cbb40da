"""Reads `.safetensors` files with the package safetensors, and sharded ones by their index."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, printable

SUFFIX = ".safetensors"
INDEX_SUFFIX = ".safetensors.index.json"

MAX_INDEX_BYTES = 1 << 24
SHARD = re.compile(r"-\d+-of-\d+\.safetensors$")


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of one file.

    Raises:
        CheckpointError: the file is damaged, or a shard whose index should be read instead.
        ImportError: the package is not installed.
    """
    index = path.with_name(SHARD.sub(INDEX_SUFFIX, path.name))
    if SHARD.search(path.name) and index.is_file():
        raise CheckpointError(f"is one of several files; read {index.name}, which lists them")
    return _read_file(path)


def read_sharded(path: Path) -> dict[str, np.ndarray]:
    """The tensors of several files, listed by an index: `{"weight_map": {name: file}}`.

    Raises:
        CheckpointError: the index is invalid, names a file in another folder, or a tensor that is
            not in its file.
    """
    files = _read_index(path)
    shards: dict[str, dict[str, np.ndarray]] = {}
    state = {}
    for name, file in files.items():
        if file not in shards:
            shards[file] = _read_file(path.with_name(file))
        if name not in shards[file]:
            raise CheckpointError(f"{file} does not hold {name[:80]!r}, which is listed there")
        state[name] = shards[file][name]
    unlisted = [name for shard in shards.values() for name in shard if name not in state]
    if unlisted:
        raise CheckpointError(f"the index does not list {unlisted[0][:80]!r}, which a file holds")
    return state


def listed_files(path: Path) -> list[str]:
    """The files that an index lists, all beside it.

    Raises:
        CheckpointError: as `read_sharded`.
    """
    return sorted({*_read_index(path).values()})


def _read_index(path: Path) -> dict[str, str]:
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise CheckpointError(f"expected an index of at most {MAX_INDEX_BYTES} bytes")
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        pairs = list(files.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"expected a JSON object with a weight_map: {error}") from None
    for name, file in pairs:
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(SUFFIX):
            raise CheckpointError(
                f"{name[:80]!r}: expected a file beside the index, found {file!r}"
            )
    if not pairs:
        raise CheckpointError("the index lists no tensors")
    return files


def _read_file(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(
            f"{path}: reading {SUFFIX} files needs the package safetensors; it comes with "
            "keras-video[safetensors]."
        ) from error
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            kinds = {name: file.get_slice(name).get_dtype() for name in names}
            if "BF16" in kinds.values():
                return _with_bfloat16(path)
            state = {name: file.get_tensor(name) for name in kinds}
    except SafetensorError as error:
        raise CheckpointError(f"not a readable {SUFFIX} file: {printable(str(error))}") from None
    except (AttributeError, TypeError) as error:
        raise CheckpointError(f"{path.name} holds a type that NumPy lacks: {error}") from None
    if not state:
        raise CheckpointError("found no tensors")
    for array in state.values():
        array.flags.writeable = False
    return state


# The format's types by name. bfloat16 is the upper half of a float32.
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def _with_bfloat16(path: Path) -> dict[str, np.ndarray]:
    from safetensors import deserialize

    state = {}
    for name, facts in deserialize(path.read_bytes()):
        kind = facts["dtype"]
        if kind not in TYPES:
            raise CheckpointError(f"{name[:80]!r} is of the type {kind}, which NumPy lacks")
        array = np.frombuffer(bytes(facts["data"]), TYPES[kind])
        if kind == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        state[name] = array.reshape(facts["shape"])
        state[name].flags.writeable = False
    return state
