"""State of the pickle VM: stack, marks, memo; checks of keys, and safe descriptions of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SHOWN_CHARACTERS = 200
LONGEST_TUPLE_KEY = 8


class CheckpointError(ValueError):
    """A checkpoint file is damaged, malicious, or holds something that is not plain data."""


@dataclass(eq=False, slots=True)
class Placeholder:
    """An inert stand-in for an unknown class or function, or for the result of calling one.

    Attributes:
        name: the dotted name in the pickle.
        state: the dictionary of attributes that the pickle assigns, or `None`.
    """

    name: str
    state: dict | None = None

    def __str__(self) -> str:
        return self.name


class Vocabulary(Protocol):
    """Resolves names, calls, states and persistent ids for the pickle VM."""

    def find(self, module: str, name: str) -> object: ...

    def call(self, function: object, arguments: object) -> object: ...

    def build(self, target: object, state: object) -> None: ...

    def persistent(self, identifier: object) -> object: ...


class PickleVM:
    """The stack, the marks and the memo of one pickle."""

    def __init__(self, data: bytes, vocabulary: Vocabulary, position: int):
        self.data = data
        self.vocabulary = vocabulary
        self.position = position
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def take_opcode(self) -> int:
        position = self.position
        if position >= len(self.data):
            raise CheckpointError(f"the pickle ends early, at byte {position}")
        self.position = position + 1
        return self.data[position]

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise CheckpointError(
                f"the pickle ends early: expected {count} bytes at byte {self.position}, "
                f"{len(self.data) - self.position} left"
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def take_integer(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def take_text(self, width: int) -> str:
        try:
            return self.take(self.take_integer(width)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"a string is not UTF-8: {error.reason}") from None

    def take_line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + 512)
        if end < 0:
            raise CheckpointError(f"a name at byte {self.position} has no end")
        line = self.data[self.position : end].decode("utf-8", "replace")
        self.position = end + 1
        return line

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise CheckpointError("the pickle pops a value that was never pushed")
        return self.stack.pop()

    def top(self, kind: type) -> object:
        """The top value, which must be a `kind` or a placeholder."""
        value = self.pop()
        self.stack.append(value)
        if type(value) is not kind and type(value) is not Placeholder:
            raise CheckpointError(f"expected a {kind.__name__}, received {describe(value)}")
        return value

    def pop_mark(self) -> list:
        if not self.marks:
            raise CheckpointError("the pickle closes a group that was never opened")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def remember(self, index: int) -> None:
        value = self.pop()
        self.stack.append(value)
        self.memo[index] = value

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise CheckpointError(f"the pickle recalls memo entry {index}, which was never stored")
        self.stack.append(self.memo[index])


def check_key(key: object) -> object:
    """Returns a dictionary key or set element; rejects it unless its hash is cheap and safe."""
    if isinstance(key, int):
        # Python hashes integers modulo 2**61 - 1: larger ones could be crafted to collide.
        if -(1 << 63) <= key < 1 << 63:
            return key
    elif key is None or isinstance(key, (str, bytes, float, Placeholder)):
        return key
    elif type(key) is tuple and len(key) <= LONGEST_TUPLE_KEY and tuple not in map(type, key):
        return tuple(check_key(part) for part in key)
    raise CheckpointError(f"expected a string or a number as a key, received {describe(key)}")


def describe(value: object) -> str:
    """Returns a short description that is safe for values of any size and depth."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, str):
        return f"the string {value[:80]!r}"
    if isinstance(value, Placeholder):
        return value.name
    if isinstance(value, int):
        return f"the integer {value}" if value.bit_length() < 128 else "a huge integer"
    return f"a value of type {type(value).__name__}"


def printable(text: str) -> str:
    """`text` for display: truncated, and with control characters escaped."""
    text = text[:SHOWN_CHARACTERS]
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
