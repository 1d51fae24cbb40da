"""Resolves the names in a checkpoint to inert constructors or placeholders."""

from __future__ import annotations

from collections.abc import Callable

from keras_video.weights.pickle_vm import (
    SHOWN_CHARACTERS,
    CheckpointError,
    Placeholder,
    check_key,
    describe,
    printable,
)
from keras_video.weights.pickled_arrays import (
    NUMPY_CALLS,
    Global,
    PickledArray,
    PickledType,
    set_array_state,
    set_type_state,
)
from keras_video.weights.pickled_tensors import (
    STORAGE_TYPES,
    TENSOR_CALLS,
    TENSOR_CLASSES,
    TENSOR_TYPES,
    StorageTable,
    Tensor,
)
from keras_video.weights.unpickler import MAX_PICKLE_BYTES

# Estimated cost of one container element when a call copies it.
_ELEMENT_BYTES = 64

# MMEngine's class for running averages; its methods resolve to `None`.
_HISTORY_BUFFER = ("mmengine.logging.history_buffer", "HistoryBuffer")


class CheckpointVocabulary:
    """Resolves names and calls to tensors, numbers, strings, containers and placeholders.

    Args:
        allowance: number of bytes that the pickle may cause to be copied.
    """

    def __init__(self, allowance: int = MAX_PICKLE_BYTES):
        self.storages = StorageTable()
        self._limit = self._allowance = allowance

    def find(self, module: str, name: str) -> Global | Placeholder:
        """Returns the token of a known name, otherwise a placeholder; nothing is imported."""
        if (module, name) in _KNOWN:
            return Global(module, name)
        return Placeholder(printable(f"{module[:SHOWN_CHARACTERS]}.{name[:SHOWN_CHARACTERS]}"))

    def call(self, function: object, arguments: object) -> object:
        """Builds the result of a known callable; a placeholder if an unknown one is involved."""
        if isinstance(function, Placeholder):
            return Placeholder(function.name)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise CheckpointError(f"refused to call {describe(function)}")
        try:
            return self._call_known(function, arguments)
        except CheckpointError:
            for argument in arguments:
                if isinstance(argument, Placeholder):
                    return Placeholder(argument.name)
            raise

    def _call_known(self, function: Global, arguments: tuple) -> object:
        key = (function.module, function.name)
        if key in _COPIES:
            return _COPIES[key](arguments, self._charge)
        if key in _CALLS:
            return _CALLS[key](arguments)
        raise CheckpointError(f"refused to call {function}")

    def build(self, target: object, state: object) -> None:
        """Applies a state to NumPy values and placeholders; containers and tensors ignore it."""
        if isinstance(target, Placeholder):
            target.state = state if isinstance(state, dict) else None
        elif isinstance(target, PickledType):
            set_type_state(target, state)
        elif isinstance(target, PickledArray):
            set_array_state(target, state, self._charge)
        elif not isinstance(target, (dict, Tensor)):
            raise CheckpointError(f"refused to set the state of {describe(target)}")

    def persistent(self, identifier: object) -> object:
        """Reads the persistent id of a storage."""
        return self.storages.read(identifier)

    def _charge(self, size: int) -> None:
        # A few bytes of pickle can copy a memoized value repeatedly.
        self._allowance -= size
        if self._allowance < 0:
            raise CheckpointError(f"the pickle copies more than {self._limit} bytes")


def _ordered_dict(arguments: tuple, charge: Callable[[int], None]) -> dict:
    match arguments:
        case ():
            return {}
        case (list(pairs),):
            charge(len(pairs) * _ELEMENT_BYTES)
            if all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
                return {check_key(key): value for key, value in pairs}
    raise CheckpointError("expected an OrderedDict built from pairs")


def _set(arguments: tuple, charge: Callable[[int], None]) -> set:
    match arguments:
        case ():
            return set()
        case (list(items),):
            charge(len(items) * _ELEMENT_BYTES)
            return {check_key(item) for item in items}
    raise CheckpointError("expected a set built from a list")


def _raw_bytes(arguments: tuple, charge: Callable[[int], None]) -> bytes:
    match arguments:
        case ():
            return b""
        case (bytes(raw),):
            return raw
        case (str(text), "latin1" | "latin-1"):
            charge(len(text))
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                raise CheckpointError("raw bytes hold characters above 255") from None
    raise CheckpointError("expected raw bytes built from a string")


def _counter(arguments: tuple) -> dict:
    match arguments:
        case ():
            return {}
        case (dict(counts),):
            return counts
    raise CheckpointError("expected a Counter built from a dictionary")


def _default_dict(arguments: tuple) -> dict:
    match arguments:
        case () | (None | Global() | Placeholder(),):
            return {}
    raise CheckpointError("expected a defaultdict built from a type")


def _attributes(arguments: tuple) -> dict:
    if arguments:
        raise CheckpointError("a plain record takes no arguments")
    return {}


def _attribute(arguments: tuple) -> Placeholder | None:
    match arguments:
        case (Global() as owner, str()) if (owner.module, owner.name) == _HISTORY_BUFFER:
            return None
        case (Placeholder() as owner, str(name)):
            return Placeholder(printable(f"{owner.name}.{name[:80]}"))
        case (owner, str(name)):
            shown = str(owner) if isinstance(owner, Global) else describe(owner)
            raise CheckpointError(f"refused builtins.getattr({shown}, {name[:80]!r})")
    raise CheckpointError("refused builtins.getattr")


def _complex(arguments: tuple) -> complex:
    match arguments:
        case (float(real), float(imaginary)):
            return complex(real, imaginary)
    raise CheckpointError("expected a complex number built from two floats")


def _size(arguments: tuple) -> tuple:
    match arguments:
        case (tuple(sizes),):
            return sizes
    raise CheckpointError("expected a torch.Size built from a tuple")


def _device(arguments: tuple) -> str:
    match arguments:
        case (str(name), *_):
            return name
    raise CheckpointError("expected a torch.device built from a name")


def _both_pythons(name: str, build: Callable) -> dict[tuple[str, str], Callable]:
    return {("builtins", name): build, ("__builtin__", name): build}


# Calls that copy their argument, which counts against the allowance.
_COPIES: dict[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("_codecs", "encode"): _raw_bytes,
    **_both_pythons("set", _set),
    **_both_pythons("frozenset", _set),
    **_both_pythons("bytes", _raw_bytes),
    **_both_pythons("bytearray", _raw_bytes),
}
_CALLS: dict[tuple[str, str], Callable[[tuple], object]] = {
    **NUMPY_CALLS,
    **TENSOR_CALLS,
    ("collections", "Counter"): _counter,
    ("collections", "defaultdict"): _default_dict,
    ("argparse", "Namespace"): _attributes,
    _HISTORY_BUFFER: _attributes,
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    **_both_pythons("complex", _complex),
    **_both_pythons("getattr", _attribute),
}
# Names without a constructor: types of storages and elements, and default factories.
_TOKENS = (
    frozenset(STORAGE_TYPES)
    | TENSOR_TYPES
    | TENSOR_CLASSES
    | {("numpy", "ndarray")}
    | {(module, kind) for module in ("builtins", "__builtin__") for kind in ("dict", "list", "int")}
)
_KNOWN = _TOKENS | frozenset(_CALLS) | frozenset(_COPIES)
