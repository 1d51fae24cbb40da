"""Reads PyTorch checkpoints without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from keras_video.weights.archive import Archive, open_archive
from keras_video.weights.machine import CheckpointError, describe
from keras_video.weights.pickled_arrays import PickledArray
from keras_video.weights.pickled_tensors import ELEMENT_TYPES, Tensor

__all__ = ["CheckpointError", "read_checkpoint"]

# Under which key published files nest their tensors: MMAction2, SlowFast, timm, plain PyTorch.
_NESTS = ("state_dict", "model_state", "model_state_dict", "model")


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of a `.pth` file written by `torch.save`, in the zip or the older format.

    Takes the entry `state_dict`, `model_state`, `model_state_dict` or `model` when there is one,
    and the file's dictionary itself otherwise. Names stay as they are stored. Optimizer and meta
    entries are skipped without being read. The file is never executed: the pickle in it can build
    tensors, numbers, strings and containers, and whatever else it asks for is refused.

    Args:
        path: the file.

    Returns:
        Read-only arrays by name, in the file's order. Types are as stored, except bfloat16, which
        becomes float32. Arrays may share memory, as the tensors in the file do.

    Raises:
        CheckpointError: the file is damaged or was not written by `torch.save`, or it asks for
            something that is not plain data; the message names it.
        OSError: the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        try:
            archive = open_archive(file)
            return _read_state(archive, _find_state(archive.root))
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None


def _find_state(root: object) -> dict:
    if not isinstance(root, dict):
        raise CheckpointError(f"expected a dictionary of tensors, received {describe(root)}")
    nested = [root[name] for name in _NESTS if isinstance(root.get(name), dict)]
    state = nested[0] if nested else root
    found = {key: value for key, value in state.items() if isinstance(value, Tensor | PickledArray)}
    if not found:
        keys = ", ".join(describe(key) for key in list(state)[:10])
        raise CheckpointError(f"found no tensors, only these keys: {keys or 'none'}")
    for key in found:
        if not isinstance(key, str):
            raise CheckpointError(f"expected names of tensors, received {describe(key)}")
    return found


def _read_state(archive: Archive, state: dict[str, Tensor | PickledArray]) -> dict:
    contents: dict[str, np.ndarray] = {}
    elements: dict[tuple[str, str], np.ndarray] = {}
    arrays = {}
    for name, value in state.items():
        if isinstance(value, PickledArray):
            if value.array is None:
                raise CheckpointError(f"the array {name[:80]!r} has no content")
            arrays[name] = value.array
            continue
        if value.key not in contents:
            contents[value.key] = _read_content(archive, value)
        key = (value.key, value.element)
        if key not in elements:
            elements[key] = _as_elements(contents[value.key], value.element)
        arrays[name] = _view(elements[key], value)
    return arrays


def _read_content(archive: Archive, tensor: Tensor) -> np.ndarray:
    storage = archive.storage(tensor.key)
    content = archive.read(tensor.key)
    if archive.big_endian:
        if tensor.element != storage.element:
            raise CheckpointError("cannot read untyped storages of a big-endian machine")
        # The parts of a complex number are swapped each on its own, as astype does.
        stored = ELEMENT_TYPES[storage.element]
        swapped = content[: storage.length * stored.itemsize].view(stored.newbyteorder(">"))
        content = swapped.astype(stored).view(np.uint8)
    return content


def _as_elements(content: np.ndarray, element: str) -> np.ndarray:
    kind = ELEMENT_TYPES[element]
    elements = content[: content.size // kind.itemsize * kind.itemsize].view(kind)
    if element == "bfloat16":
        # bfloat16 is the upper half of a float32.
        elements = (elements.astype(np.uint32) << 16).view(np.float32)
    elif element == "bool":
        # A damaged file may hold bytes that are neither 0 nor 1.
        elements = elements.view(np.uint8) != 0
    elements.flags.writeable = False
    return elements


def _view(elements: np.ndarray, tensor: Tensor) -> np.ndarray:
    width = elements.itemsize
    if 0 in tensor.shape:
        array = np.empty(tensor.shape, elements.dtype)
        array.flags.writeable = False
        return array
    # The stride of an axis of length one means nothing and may be beyond what NumPy takes.
    strides = [
        step * width if size > 1 else width
        for size, step in zip(tensor.shape, tensor.strides, strict=True)
    ]
    return np.ndarray(tensor.shape, elements.dtype, elements, tensor.offset * width, strides)
