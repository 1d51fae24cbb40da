"""JSON parsing that records the line at which each object begins."""

import bisect
import json
import json.scanner
import re
from collections import Counter

from ..annotations.records import AnnotationError, read_text


class Located(dict):
    """A JSON object.

    Attributes:
        source: where it begins, as `file:line`.
    """

    source = ""


def read_json(file):
    """The value of a JSON file; its objects are `Located`.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: naming the line, for text that is not JSON or has constants such as NaN.
    """
    text = read_text(file)
    try:
        return _Decoder(file, text).decode(text)
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{file}:{error.lineno}: expected JSON: {error.msg}") from error
    except RecursionError:
        raise AnnotationError(f"{file}: received JSON that is nested too deeply") from None
    except AnnotationError:
        raise
    except ValueError as error:  # integers with thousands of digits
        raise AnnotationError(f"{file}: expected JSON: {error}") from error


def expect(value, kind, source, what):
    """The value, if it is a `dict` or `list` as expected.

    Raises:
        AnnotationError: naming what was received.
    """
    if isinstance(value, kind):
        return value
    words = {dict: "an object {...}", list: "a list [...]"}[kind]
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:60]}..."
    raise AnnotationError(f"{source}: received {what} {text}, expected {words}")


def objects(value, source, what):
    """The objects of a list.

    Raises:
        AnnotationError: for anything but a list of objects.
    """
    return [
        expect(item, dict, source, f"{what}[{number}]")
        for number, item in enumerate(expect(value, list, source, what))
    ]


class _Decoder(json.JSONDecoder):
    def __init__(self, file, text):
        super().__init__(parse_constant=self._reject, object_pairs_hook=list)
        self._file = file
        self._ends = [match.start() for match in re.finditer("\n", text)]
        # The C scanner does not report its position.
        parse = self.parse_object

        def parse_located(text_and_position, *arguments):
            pairs, end = parse(text_and_position, *arguments)
            value = Located(pairs)
            line = bisect.bisect_left(self._ends, text_and_position[1] - 1) + 1
            value.source = f"{file}:{line}"
            if len(value) < len(pairs):
                duplicate = next(key for key, count in Counter(key for key, _ in pairs).items()
                             if count > 1)  # fmt: skip
                raise AnnotationError(f"{value.source}: received the field {duplicate!r} twice")
            return value, end

        self.parse_object = parse_located
        self.scan_once = json.scanner.py_make_scanner(self)

    def _reject(self, constant):
        raise AnnotationError(f"{self._file}: received {constant}, expected JSON without it")
