"""Inert stand-ins for NumPy's arrays and numbers inside a pickle: numbers only, never objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, Placeholder, describe

MAX_DIMENSIONS = 32

_NUMERIC = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}) | frozenset(
    {"f2", "f4", "f8", "c8", "c16"}
)


@dataclass(frozen=True, slots=True)
class Global:
    """An inert token for a known name in a pickle; it is never executed."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class PickledType:
    """A NumPy element type: kind and size, and the byte order from its state."""

    code: str
    byte_order: str = "="

    def dtype(self) -> np.dtype:
        return np.dtype(self.byte_order + self.code)


@dataclass(slots=True)
class PickledArray:
    """A NumPy array whose content arrives with its state."""

    array: np.ndarray | None = None


def is_integer(value: object) -> bool:
    """Whether a value is an integer and not a bool, which is a subclass of int."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_sizes(sizes: object) -> tuple[int, ...]:
    """Returns a shape as a tuple; rejects it unless it is a few non-negative integers."""
    if isinstance(sizes, (tuple, list)) and len(sizes) <= MAX_DIMENSIONS:
        sizes = tuple(sizes)
        if all(is_integer(size) and 0 <= size < 1 << 63 for size in sizes):
            return sizes
    raise CheckpointError(f"expected a shape or strides, received {describe(sizes)}")


def make_type(arguments: tuple) -> PickledType | Placeholder:
    """Reads the arguments of `numpy.dtype`; non-numeric types become placeholders."""
    match arguments:
        case (str(code), *_) if code.lstrip("<>=|") in _NUMERIC:
            return PickledType(code.lstrip("<>=|"))
        case (str(code), *_):
            return Placeholder(f"numpy.dtype({code[:20]!r})")
    received = describe(arguments[0]) if arguments else "nothing"
    raise CheckpointError(f"expected a numeric numpy.dtype, received {received}")


def make_array(arguments: tuple) -> PickledArray:
    """Reads the arguments of `numpy.core.multiarray._reconstruct`."""
    match arguments:
        case (Global(module="numpy", name="ndarray"), (0,), _):
            return PickledArray()
    raise CheckpointError("expected an empty ndarray as the argument of numpy._reconstruct")


def make_buffer_array(arguments: tuple) -> PickledArray:
    """Reads the arguments of `numpy.core.numeric._frombuffer`."""
    match arguments:
        case (bytes(raw), PickledType() as kind, shape, str(order)):
            return PickledArray(_array(raw, kind, shape, order, no_charge))
    raise CheckpointError("expected bytes and a shape as the arguments of numpy._frombuffer")


def make_scalar(arguments: tuple) -> bool | int | float | complex:
    """Reads the arguments of `numpy.core.multiarray.scalar`."""
    match arguments:
        case (PickledType() as kind, bytes() | str() as raw):
            return _array(raw, kind, (), "C", no_charge).item()
    raise CheckpointError("expected a number as the argument of numpy.scalar")


def set_type_state(kind: PickledType, state: object) -> None:
    """Applies the state of a `numpy.dtype`: the byte order; no fields, no sub-arrays."""
    match state:
        case (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
            kind.byte_order = order
        case _:
            raise CheckpointError("the state of a numpy.dtype is not that of a number")


def set_array_state(target: PickledArray, state: object, charge: Callable[[int], None]) -> None:
    """Applies the state of a `numpy.ndarray`: shape, type, order and raw bytes.

    An array of anything but numbers stays empty.

    Args:
        charge: called with the size of each copy before it is created.
    """
    match state:
        case (int(), shape, PickledType() as kind, bool(fortran), bytes() | str() as raw):
            target.array = _array(raw, kind, shape, "F" if fortran else "C", charge)
        case (int(), _, Placeholder(), _, _):
            return
        case _:
            raise CheckpointError("the state of a numpy.ndarray is not that of numbers")


def no_charge(size: int) -> None:
    """For copies that are no larger than their source, or no copies."""


def _array(
    raw: bytes | str,
    kind: PickledType,
    shape: object,
    order: str,
    charge: Callable[[int], None],
) -> np.ndarray:
    sizes = check_sizes(shape)
    dtype = kind.dtype()
    if isinstance(raw, str):
        # Raw bytes of Python 2, decoded as text. One string could be the state of many arrays.
        if len(raw) > math.prod(sizes) * dtype.itemsize:
            raise CheckpointError(f"a NumPy array of shape {sizes} has {len(raw)} characters")
        charge(len(raw))
        content = raw.encode("utf-8")
    else:
        content = raw
    if math.prod(sizes) * dtype.itemsize != len(content):
        raise CheckpointError(
            f"a NumPy array of shape {sizes} and type {kind.code} has {len(content)} bytes"
        )
    if 0 in sizes:
        check_empty(sizes)
    if order not in ("C", "F"):
        raise CheckpointError(f"expected the order C or F, received {describe(order)}")
    return np.frombuffer(content, dtype).reshape(sizes, order=order)


def check_empty(sizes: tuple[int, ...]) -> None:
    """Rejects empty shapes that NumPy cannot represent, such as (0, 2**62)."""
    if math.prod(max(size, 1) for size in sizes) >= 1 << 40:
        raise CheckpointError(f"refused the shape {sizes}")


NUMPY_CALLS: dict[tuple[str, str], Callable[[tuple], object]] = {
    ("numpy", "dtype"): make_type,
    ("numpy.core.multiarray", "_reconstruct"): make_array,
    ("numpy._core.multiarray", "_reconstruct"): make_array,
    ("numpy.core.multiarray", "scalar"): make_scalar,
    ("numpy._core.multiarray", "scalar"): make_scalar,
    ("numpy.core.numeric", "_frombuffer"): make_buffer_array,
    ("numpy._core.numeric", "_frombuffer"): make_buffer_array,
}
