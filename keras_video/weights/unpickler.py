"""An inert pickle VM: reads the pickles of `torch.save` without importing or calling anything.

Python's own unpickler imports names and calls them, and allocates whatever the file requests (a
memo index of four billion, say). This VM knows only the binary opcodes, builds plain containers,
numbers and strings, and passes every name, call and state to a `Vocabulary`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from keras_video.weights.pickle_vm import (
    CheckpointError,
    PickleVM,
    Placeholder,
    Vocabulary,
    check_key,
    describe,
    printable,
)

# The object pickle of a published checkpoint with optimizer state is below 1 MB and 200 000
# opcodes. The limits keep a malicious one below about 100 MB and a second or two.
MAX_PICKLE_BYTES = 1 << 24
MAX_OPERATIONS = 1 << 20
MAX_INTEGER_BYTES = 256


def load_pickle(data: bytes, vocabulary: Vocabulary, position: int = 0) -> tuple[object, int]:
    """Reads the pickle that starts at `position` of `data`.

    Unknown names become a `Placeholder`; values that are added to one are dropped.

    Returns:
        The object, and the position after the pickle's last byte.

    Raises:
        CheckpointError: the pickle is damaged, or uses something the vocabulary does not allow.
    """
    vm = PickleVM(data, vocabulary, position)
    for _ in range(MAX_OPERATIONS):
        code = vm.take_opcode()
        if code == ord("."):
            value = vm.pop()
            if vm.stack or vm.marks:
                raise CheckpointError("the pickle ends with values left over")
            return value, vm.position
        operation = _OPERATIONS.get(code)
        if operation is None:
            _reject_opcode(vm, code)
        operation(vm)
    raise CheckpointError(f"the pickle has more than {MAX_OPERATIONS} operations")


def _reject_opcode(vm: PickleVM, code: int) -> None:
    import pickletools

    known = pickletools.code2op.get(chr(code))
    name = known.name if known else f"0x{code:02x}"
    requested = ""
    if name == "INST":
        requested = ", which asks for " + printable(f"{vm.take_line()}.{vm.take_line()}")
    raise CheckpointError(f"refused the pickle opcode {name}{requested}")


def _tuple(count: int) -> Callable[[PickleVM], None]:
    def operation(vm: PickleVM) -> None:
        items = [vm.pop() for _ in range(count)]
        vm.push(tuple(reversed(items)))

    return operation


def _constant(value: object) -> Callable[[PickleVM], None]:
    return lambda vm: vm.push(value)


def _unsigned(width: int) -> Callable[[PickleVM], None]:
    return lambda vm: vm.push(vm.take_integer(width))


def _long(width: int) -> Callable[[PickleVM], None]:
    def operation(vm: PickleVM) -> None:
        size = vm.take_integer(width)
        if size > MAX_INTEGER_BYTES:
            raise CheckpointError(f"refused an integer of {size} bytes")
        vm.push(int.from_bytes(vm.take(size), "little", signed=True))

    return operation


def _bytes(width: int) -> Callable[[PickleVM], None]:
    return lambda vm: vm.push(vm.take(vm.take_integer(width)))


def _text(width: int) -> Callable[[PickleVM], None]:
    return lambda vm: vm.push(vm.take_text(width))


def _python2_string(width: int) -> Callable[[PickleVM], None]:
    def operation(vm: PickleVM) -> None:
        raw = vm.take(vm.take_integer(width))
        # Python 2 has one type for text and for the raw bytes of an array.
        try:
            vm.push(raw.decode("utf-8"))
        except UnicodeDecodeError:
            vm.push(raw)

    return operation


def _append(vm: PickleVM) -> None:
    value, target = vm.pop(), vm.top(list)
    if type(target) is not Placeholder:
        target.append(value)


def _appends(vm: PickleVM) -> None:
    items, target = vm.pop_mark(), vm.top(list)
    if type(target) is not Placeholder:
        target.extend(items)


def _set_item(vm: PickleVM) -> None:
    value, key = vm.pop(), vm.pop()
    target = vm.top(dict)
    if type(target) is not Placeholder:
        target[check_key(key)] = value


def _pairs(items: list) -> dict:
    if len(items) % 2:
        raise CheckpointError("a dictionary has a key without a value")
    return {check_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _set_items(vm: PickleVM) -> None:
    items, target = vm.pop_mark(), vm.top(dict)
    if type(target) is not Placeholder:
        target.update(_pairs(items))


def _add_items(vm: PickleVM) -> None:
    items, target = vm.pop_mark(), vm.top(set)
    if type(target) is not Placeholder:
        target.update(check_key(item) for item in items)


def _global(vm: PickleVM) -> None:
    module, name = vm.take_line(), vm.take_line()
    vm.push(vm.vocabulary.find(module, name))


def _stack_global(vm: PickleVM) -> None:
    name, module = vm.pop(), vm.pop()
    if not (isinstance(module, str) and isinstance(name, str)):
        raise CheckpointError(f"a name is not a string: {describe(module)}, {describe(name)}")
    vm.push(vm.vocabulary.find(module, name))


def _call(vm: PickleVM) -> None:
    arguments, function = vm.pop(), vm.pop()
    vm.push(vm.vocabulary.call(function, arguments))


def _call_with_keywords(vm: PickleVM) -> None:
    keywords, arguments, function = vm.pop(), vm.pop(), vm.pop()
    if type(function) is not Placeholder and keywords:
        raise CheckpointError(f"refused to call {describe(function)} with keywords")
    vm.push(vm.vocabulary.call(function, arguments))


def _build(vm: PickleVM) -> None:
    state, target = vm.pop(), vm.pop()
    vm.vocabulary.build(target, state)
    vm.push(target)


def _duplicate(vm: PickleVM) -> None:
    value = vm.pop()
    vm.stack += [value, value]


def _float(vm: PickleVM) -> None:
    vm.push(struct.unpack(">d", vm.take(8))[0])


def _signed(vm: PickleVM) -> None:
    vm.push(int.from_bytes(vm.take(4), "little", signed=True))


def _protocol(vm: PickleVM) -> None:
    version = vm.take(1)[0]
    if not 2 <= version <= 5:
        raise CheckpointError(f"expected pickle protocol 2 to 5, received {version}")


# Keys are the opcodes of the pickle format. All others are rejected: the text opcodes of protocol
# 0, which torch.save never writes, and INST, OBJ, EXT and PERSID.
_OPERATIONS: dict[int, Callable[[PickleVM], None]] = {
    0x80: _protocol,
    0x95: lambda vm: vm.take_integer(8),
    ord("("): lambda vm: vm.marks.append(len(vm.stack)),
    ord("0"): lambda vm: vm.pop(),
    ord("1"): lambda vm: vm.pop_mark(),
    ord("2"): _duplicate,
    ord("N"): _constant(None),
    0x88: _constant(True),
    0x89: _constant(False),
    ord("J"): _signed,
    ord("K"): _unsigned(1),
    ord("M"): _unsigned(2),
    0x8A: _long(1),
    0x8B: _long(4),
    ord("G"): _float,
    ord("X"): _text(4),
    0x8C: _text(1),
    0x8D: _text(8),
    ord("B"): _bytes(4),
    ord("C"): _bytes(1),
    0x8E: _bytes(8),
    0x96: _bytes(8),
    ord("T"): _python2_string(4),
    ord("U"): _python2_string(1),
    ord(")"): _constant(()),
    ord("t"): lambda vm: vm.push(tuple(vm.pop_mark())),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("]"): lambda vm: vm.push([]),
    ord("l"): lambda vm: vm.push(vm.pop_mark()),
    ord("a"): _append,
    ord("e"): _appends,
    ord("}"): lambda vm: vm.push({}),
    ord("d"): lambda vm: vm.push(_pairs(vm.pop_mark())),
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x8F: lambda vm: vm.push(set()),
    0x90: _add_items,
    0x91: lambda vm: vm.push({check_key(item) for item in vm.pop_mark()}),
    ord("h"): lambda vm: vm.recall(vm.take_integer(1)),
    ord("j"): lambda vm: vm.recall(vm.take_integer(4)),
    ord("q"): lambda vm: vm.remember(vm.take_integer(1)),
    ord("r"): lambda vm: vm.remember(vm.take_integer(4)),
    0x94: lambda vm: vm.remember(len(vm.memo)),
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _call,
    0x81: _call,
    0x92: _call_with_keywords,
    ord("b"): _build,
    ord("Q"): lambda vm: vm.push(vm.vocabulary.persistent(vm.pop())),
}
