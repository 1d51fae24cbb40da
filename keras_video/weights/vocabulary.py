"""The names a checkpoint asks for, each an inert constructor of our own or a placeholder."""

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

# What one element of a container is taken to cost when a call copies it.
_ELEMENT_BYTES = 64

# MMEngine keeps its running averages under this class; it stands for no value here.
_HISTORY_BUFFER = ("mmengine.logging.history_buffer", "HistoryBuffer")


class CheckpointVocabulary:
    """Answers the pickle machine with tensors, numbers, strings, containers and placeholders.

    Args:
        allowance: bytes that may be copied at the word of the pickle.
    """

    def __init__(self, allowance: int = MAX_PICKLE_BYTES):
        self.storages = StorageTable()
        self._limit = self._allowance = allowance

    def find(self, module: str, name: str) -> Global | Placeholder:
        """Returns the token of a known name, else a placeholder; nothing is imported for it."""
        if (module, name) in _KNOWN:
            return Global(module, name)
        return Placeholder(printable(f"{module[:SHOWN_CHARACTERS]}.{name[:SHOWN_CHARACTERS]}"))

    def call(self, function: object, arguments: object) -> object:
        """Builds what a known callable stands for; a placeholder for what needs an unknown one."""
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
        """Applies a state to NumPy values and placeholders; containers and tensors drop theirs."""
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
        # A kept value can be copied again and again by a few bytes of pickle.
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
    raise CheckpointError("an OrderedDict is not made of pairs")


def _set(arguments: tuple, charge: Callable[[int], None]) -> set:
    match arguments:
        case ():
            return set()
        case (list(items),):
            charge(len(items) * _ELEMENT_BYTES)
            return {check_key(item) for item in items}
    raise CheckpointError("a set is not made of a list")


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
    raise CheckpointError("raw bytes are not made of a string")


def _counter(arguments: tuple) -> dict:
    match arguments:
        case ():
            return {}
        case (dict(counts),):
            return counts
    raise CheckpointError("a Counter is not made of a dictionary")


def _default_dict(arguments: tuple) -> dict:
    match arguments:
        case () | (None | Global() | Placeholder(),):
            return {}
    raise CheckpointError("a defaultdict is not made of a type")


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
    raise CheckpointError("a complex number is not made of two floats")


def _size(arguments: tuple) -> tuple:
    match arguments:
        case (tuple(sizes),):
            return sizes
    raise CheckpointError("a torch.Size is not made of a tuple")


def _device(arguments: tuple) -> str:
    match arguments:
        case (str(name), *_):
            return name
    raise CheckpointError("a torch.device is not made of a name")


def _both_pythons(name: str, make: Callable) -> dict[tuple[str, str], Callable]:
    return {("builtins", name): make, ("__builtin__", name): make}


# Calls that copy their argument, and so are charged for it.
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
# Names that stand for themselves: types of storages and elements, and default factories.
_TOKENS = (
    frozenset(STORAGE_TYPES)
    | TENSOR_TYPES
    | TENSOR_CLASSES
    | {("numpy", "ndarray")}
    | {(module, kind) for module in ("builtins", "__builtin__") for kind in ("dict", "list", "int")}
)
_KNOWN = _TOKENS | frozenset(_CALLS) | frozenset(_COPIES)
