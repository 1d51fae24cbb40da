"""Reads the tensors of pickled checkpoints: PyTorch's, and plain pickles of NumPy arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_video.weights.archive import Archive, open_archive
from keras_video.weights.nests import find_state
from keras_video.weights.pickle_vm import CheckpointError
from keras_video.weights.pickled_arrays import PickledArray
from keras_video.weights.pickled_tensors import ELEMENT_TYPES, Tensor


def read_pickled(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file written by `torch.save`, or of a pickle of NumPy arrays.

    Raises:
        CheckpointError: the file is damaged, of another format, or one of its tensors needs
            something that is not plain data; the message names it.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        archive = open_archive(file)
        return _read_state(archive, find_state(archive.root))


def read_texts(path: Path) -> list[str]:
    """The configurations that a file stores as text: `cfg`, and `config` or `cfg` in `meta`.

    Raises:
        CheckpointError, OSError: as `read_pickled`.
    """
    with path.open("rb") as file:
        root = open_archive(file).root
    if not isinstance(root, dict):
        return []
    meta = root.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    texts = (root.get("cfg"), meta.get("config"), meta.get("cfg"))
    return [text for text in texts if isinstance(text, str)]


def _read_state(archive: Archive, state: dict[str, Tensor | PickledArray]) -> dict:
    contents: dict[str, np.ndarray] = {}
    elements: dict[tuple[str, str], np.ndarray] = {}
    arrays = {}
    for name, value in state.items():
        if isinstance(value, PickledArray):
            if value.array is None:
                raise CheckpointError(f"the array {name[:80]!r} is empty, or not of numbers")
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
        # The parts of a complex number are swapped separately, as astype does.
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
    # The stride of an axis of length one is irrelevant and may be too large for NumPy.
    strides = [
        step * width if size > 1 else width
        for size, step in zip(tensor.shape, tensor.strides, strict=True)
    ]
    return np.ndarray(tensor.shape, elements.dtype, elements, tensor.offset * width, strides)
