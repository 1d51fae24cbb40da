"""Inert stand-ins for PyTorch's storages and tensors inside a pickle.

A `Tensor` only locates its elements; nothing is read until the whole pickle is parsed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, Placeholder, describe
from keras_video.weights.pickled_arrays import (
    Global,
    check_empty,
    check_sizes,
    is_integer,
)

# A tensor from `expand` is stored with fewer elements than its shape has; this many are plausible.
MAX_EXPANDED_ELEMENTS = 1 << 24

# The on-disk type of each PyTorch type. bfloat16 has no NumPy type: its raw 16 bits are read.
ELEMENT_TYPES = {
    "float32": np.dtype("float32"),
    "float64": np.dtype("float64"),
    "float16": np.dtype("float16"),
    "bfloat16": np.dtype("uint16"),
    "uint8": np.dtype("uint8"),
    "uint16": np.dtype("uint16"),
    "uint32": np.dtype("uint32"),
    "uint64": np.dtype("uint64"),
    "int8": np.dtype("int8"),
    "int16": np.dtype("int16"),
    "int32": np.dtype("int32"),
    "int64": np.dtype("int64"),
    "bool": np.dtype("bool"),
    "complex64": np.dtype("complex64"),
    "complex128": np.dtype("complex128"),
}

_STORAGE_NAMES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}
_STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")

STORAGE_TYPES = {
    (module, name): element
    for module in _STORAGE_MODULES
    for name, element in _STORAGE_NAMES.items()
}
TENSOR_TYPES = frozenset(("torch", element) for element in ELEMENT_TYPES)
TENSOR_CLASSES = frozenset(
    {("torch", "Tensor"), ("torch.nn.parameter", "Parameter"), ("torch.nn", "Parameter")}
)


@dataclass(frozen=True, slots=True)
class Storage:
    """`length` contiguous elements of one type in the file, under `key`; a view has a `start`."""

    key: str
    element: str
    length: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """The location of a tensor's elements. Offset and strides are in elements."""

    key: str
    element: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def make_tensor(arguments: tuple) -> Tensor:
    """Reads the arguments of `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`."""
    match arguments:
        case (Storage() as storage, offset, shape, strides, *_):
            return _tensor(storage, storage.element, offset, shape, strides)
    raise CheckpointError("expected a tensor built from a storage, an offset, a shape and strides")


def make_typed_tensor(arguments: tuple) -> Tensor:
    """Reads the arguments of `torch._utils._rebuild_tensor_v3`, which name the type."""
    match arguments:
        case (Storage() as storage, offset, shape, strides, _, _, Global() as kind, *_):
            if (kind.module, kind.name) in TENSOR_TYPES:
                return _tensor(storage, kind.name, offset, shape, strides)
    raise CheckpointError("expected a tensor built from a storage, an offset, a shape and strides")


def make_parameter(arguments: tuple) -> Tensor:
    """Reads the arguments of `torch._utils._rebuild_parameter`: the tensor comes first."""
    match arguments:
        case (Tensor() as tensor, *_):
            return tensor
    raise CheckpointError("expected a Parameter built from a tensor")


def make_tensor_with_attributes(arguments: tuple) -> Tensor:
    """Reads the arguments of `torch._tensor._rebuild_from_type_v2` without the attributes."""
    match arguments:
        case (Global() as function, Global() as kind, tuple(inner), _):
            build = _REBUILD_CALLS.get((function.module, function.name))
            if build and (kind.module, kind.name) in TENSOR_CLASSES:
                return build(inner)
            raise CheckpointError(f"refused {function} for {kind}")
    raise CheckpointError("expected a tensor with attributes built from a tensor")


def _tensor(storage: Storage, element: str, offset: object, shape: object, strides: object):
    sizes, steps = check_sizes(shape), check_sizes(strides)
    if not is_integer(offset) or offset < 0 or len(sizes) != len(steps):
        raise CheckpointError(f"a tensor of shape {sizes} has strides {steps}, offset {offset}")
    if 0 in sizes:
        check_empty(sizes)
        return Tensor(storage.key, element, 0, sizes, (0,) * len(sizes))
    width = ELEMENT_TYPES[element].itemsize
    available = storage.length * ELEMENT_TYPES[storage.element].itemsize // width
    last = offset + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if last >= available:
        raise CheckpointError(
            f"a tensor of shape {sizes}, strides {steps} and offset {offset} reaches outside its "
            f"storage {storage.key[:80]!r} of {available} elements"
        )
    if math.prod(sizes) > max(available, MAX_EXPANDED_ELEMENTS):
        raise CheckpointError(f"refused the shape {sizes} over {available} stored elements")
    if storage.start and element != storage.element:
        raise CheckpointError("a view of a storage changes its type")
    return Tensor(storage.key, element, storage.start + offset, sizes, steps)


_REBUILD_CALLS: dict[tuple[str, str], Callable[[tuple], Tensor]] = {
    ("torch._utils", "_rebuild_tensor"): make_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): make_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): make_typed_tensor,
    ("torch._utils", "_rebuild_parameter"): make_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): make_parameter,
    ("torch.nn.parameter", "Parameter"): make_parameter,
    ("torch.nn", "Parameter"): make_parameter,
}
TENSOR_CALLS: dict[tuple[str, str], Callable[[tuple], object]] = {
    **_REBUILD_CALLS,
    ("torch._tensor", "_rebuild_from_type_v2"): make_tensor_with_attributes,
}


class StorageTable:
    """The storages in a pickle's persistent ids, by key."""

    def __init__(self):
        self._storages: dict[str, Storage] = {}

    def __getitem__(self, key: str) -> Storage:
        if key not in self._storages:
            raise CheckpointError(f"no tensor names the storage {key[:80]!r}")
        return self._storages[key]

    def __len__(self) -> int:
        return len(self._storages)

    def read(self, identifier: object) -> Storage | Placeholder:
        """Reads a persistent id: a storage, or in the oldest files a view of one.

        The class of a module, which files from before PyTorch 1.6 identify together with its
        source code, and storages of an unknown type become placeholders.
        """
        match identifier:
            case ("module", Placeholder() as kind, *_) | ("storage", Placeholder() as kind, *_):
                return kind
            case ("storage", Global() as kind, str(key), str(), int(length), *view):
                element = STORAGE_TYPES.get((kind.module, kind.name))
                if element and is_integer(length) and 0 <= length < 1 << 48 and len(view) < 2:
                    storage = self._add(Storage(key, element, length))
                    return _view(storage, view[0]) if view and view[0] is not None else storage
        raise CheckpointError(
            f"a persistent id is not a storage: {_describe_identifier(identifier)}"
        )

    def _add(self, storage: Storage) -> Storage:
        known = self._storages.setdefault(storage.key, storage)
        if known != storage:
            raise CheckpointError(f"the storage {storage.key[:80]!r} is declared in two ways")
        return known


def _view(storage: Storage, view: object) -> Storage:
    match view:
        case (_, int(start), int(length)) if start >= 0 and length >= 0:
            if start + length <= storage.length:
                return Storage(storage.key, storage.element, length, start)
    raise CheckpointError(f"a view of the storage {storage.key[:80]!r} reaches beyond its end")


def _describe_identifier(identifier: object) -> str:
    if isinstance(identifier, tuple):
        shown = [str(x) if isinstance(x, Global) else describe(x) for x in identifier[:6]]
        return f"({', '.join(shown)})"
    return describe(identifier)
