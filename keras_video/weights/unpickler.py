"""An inert pickle machine: reads the pickles that `torch.save` writes and never imports or calls.

Python's own unpickler looks names up and calls what it finds, and it takes memory on the word of
the file (a memo index of four billion, say). This machine knows the binary opcodes alone, builds
plain containers, numbers and strings, and hands every name, call and state to a `Vocabulary`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from keras_video.weights.pickle_vm import (
    CheckpointError,
    Machine,
    Placeholder,
    Vocabulary,
    check_key,
    describe,
    printable,
)

# The object pickle of a published checkpoint with optimizer state is below 1 MB and 200 000
# opcodes. The limits keep a hostile one below about 100 MB and a second or two.
MAX_PICKLE_BYTES = 1 << 24
MAX_OPERATIONS = 1 << 20
MAX_INTEGER_BYTES = 256


def load_pickle(data: bytes, vocabulary: Vocabulary, position: int = 0) -> tuple[object, int]:
    """Reads the pickle that starts at `position` of `data`.

    What the vocabulary does not know becomes a `Placeholder`, and what is put into one is dropped.

    Returns:
        The object, and the position after the pickle's last byte.

    Raises:
        CheckpointError: the pickle is damaged, or uses what the vocabulary does not hold.
    """
    machine = Machine(data, vocabulary, position)
    for _ in range(MAX_OPERATIONS):
        code = machine.take_opcode()
        if code == ord("."):
            value = machine.pop()
            if machine.stack or machine.marks:
                raise CheckpointError("the pickle ends with values left over")
            return value, machine.position
        operation = _OPERATIONS.get(code)
        if operation is None:
            _refuse_opcode(machine, code)
        operation(machine)
    raise CheckpointError(f"the pickle has more than {MAX_OPERATIONS} operations")


def _refuse_opcode(machine: Machine, code: int) -> None:
    import pickletools

    known = pickletools.code2op.get(chr(code))
    name = known.name if known else f"0x{code:02x}"
    asked = ""
    if name == "INST":
        asked = ", which asks for " + printable(f"{machine.take_line()}.{machine.take_line()}")
    raise CheckpointError(f"refused the pickle opcode {name}{asked}")


def _tuple(count: int) -> Callable[[Machine], None]:
    def operation(machine: Machine) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(items)))

    return operation


def _constant(value: object) -> Callable[[Machine], None]:
    return lambda machine: machine.push(value)


def _unsigned(width: int) -> Callable[[Machine], None]:
    return lambda machine: machine.push(machine.take_integer(width))


def _long(width: int) -> Callable[[Machine], None]:
    def operation(machine: Machine) -> None:
        size = machine.take_integer(width)
        if size > MAX_INTEGER_BYTES:
            raise CheckpointError(f"refused an integer of {size} bytes")
        machine.push(int.from_bytes(machine.take(size), "little", signed=True))

    return operation


def _bytes(width: int) -> Callable[[Machine], None]:
    return lambda machine: machine.push(machine.take(machine.take_integer(width)))


def _text(width: int) -> Callable[[Machine], None]:
    return lambda machine: machine.push(machine.take_text(width))


def _python2_string(width: int) -> Callable[[Machine], None]:
    def operation(machine: Machine) -> None:
        raw = machine.take(machine.take_integer(width))
        # Python 2 has one type for text and for the raw bytes of an array.
        try:
            machine.push(raw.decode("utf-8"))
        except UnicodeDecodeError:
            machine.push(raw)

    return operation


def _append(machine: Machine) -> None:
    value, target = machine.pop(), machine.top(list)
    if type(target) is not Placeholder:
        target.append(value)


def _appends(machine: Machine) -> None:
    items, target = machine.pop_mark(), machine.top(list)
    if type(target) is not Placeholder:
        target.extend(items)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    target = machine.top(dict)
    if type(target) is not Placeholder:
        target[check_key(key)] = value


def _pairs(items: list) -> dict:
    if len(items) % 2:
        raise CheckpointError("a dictionary has a key without a value")
    return {check_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _set_items(machine: Machine) -> None:
    items, target = machine.pop_mark(), machine.top(dict)
    if type(target) is not Placeholder:
        target.update(_pairs(items))


def _add_items(machine: Machine) -> None:
    items, target = machine.pop_mark(), machine.top(set)
    if type(target) is not Placeholder:
        target.update(check_key(item) for item in items)


def _global(machine: Machine) -> None:
    module, name = machine.take_line(), machine.take_line()
    machine.push(machine.vocabulary.find(module, name))


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if not (isinstance(module, str) and isinstance(name, str)):
        raise CheckpointError(f"a name is not a string: {describe(module)}, {describe(name)}")
    machine.push(machine.vocabulary.find(module, name))


def _call(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(machine.vocabulary.call(function, arguments))


def _call_with_keywords(machine: Machine) -> None:
    keywords, arguments, function = machine.pop(), machine.pop(), machine.pop()
    if type(function) is not Placeholder and keywords:
        raise CheckpointError(f"refused to call {describe(function)} with keywords")
    machine.push(machine.vocabulary.call(function, arguments))


def _build(machine: Machine) -> None:
    state, target = machine.pop(), machine.pop()
    machine.vocabulary.build(target, state)
    machine.push(target)


def _duplicate(machine: Machine) -> None:
    value = machine.pop()
    machine.stack += [value, value]


def _float(machine: Machine) -> None:
    machine.push(struct.unpack(">d", machine.take(8))[0])


def _signed(machine: Machine) -> None:
    machine.push(int.from_bytes(machine.take(4), "little", signed=True))


def _protocol(machine: Machine) -> None:
    version = machine.take(1)[0]
    if not 2 <= version <= 5:
        raise CheckpointError(f"expected pickle protocol 2 to 5, received {version}")


# Keys are the opcodes of the pickle format. What is missing here is refused: the text opcodes of
# protocol 0, which torch.save never writes, and INST, OBJ, EXT and PERSID.
_OPERATIONS: dict[int, Callable[[Machine], None]] = {
    0x80: _protocol,
    0x95: lambda machine: machine.take_integer(8),
    ord("("): lambda machine: machine.marks.append(len(machine.stack)),
    ord("0"): lambda machine: machine.pop(),
    ord("1"): lambda machine: machine.pop_mark(),
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
    ord("t"): lambda machine: machine.push(tuple(machine.pop_mark())),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("]"): lambda machine: machine.push([]),
    ord("l"): lambda machine: machine.push(machine.pop_mark()),
    ord("a"): _append,
    ord("e"): _appends,
    ord("}"): lambda machine: machine.push({}),
    ord("d"): lambda machine: machine.push(_pairs(machine.pop_mark())),
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x8F: lambda machine: machine.push(set()),
    0x90: _add_items,
    0x91: lambda machine: machine.push({check_key(item) for item in machine.pop_mark()}),
    ord("h"): lambda machine: machine.recall(machine.take_integer(1)),
    ord("j"): lambda machine: machine.recall(machine.take_integer(4)),
    ord("q"): lambda machine: machine.remember(machine.take_integer(1)),
    ord("r"): lambda machine: machine.remember(machine.take_integer(4)),
    0x94: lambda machine: machine.remember(len(machine.memo)),
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _call,
    0x81: _call,
    0x92: _call_with_keywords,
    ord("b"): _build,
    ord("Q"): lambda machine: machine.push(machine.vocabulary.persistent(machine.pop())),
}
