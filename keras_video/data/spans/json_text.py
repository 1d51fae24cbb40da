"""JSON whose objects know the line that they begin in."""

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
        AnnotationError: naming the line, for text that is not JSON or has numbers such as NaN.
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
    except ValueError as error:  # whole numbers of thousands of digits
        raise AnnotationError(f"{file}: expected JSON: {error}") from error


def expect(value, kind, source, what):
    """The value, if it is a `dict` or `list` as expected.

    Raises:
        AnnotationError: naming what was received.
    """
    if isinstance(value, kind):
        return value
    words = {dict: "an object {...}", list: "a list [...]"}[kind]
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    raise AnnotationError(f"{source}: received {what} {shown}, expected {words}")


def objects(value, source, what):
    """The objects of a list.

    Raises:
        AnnotationError: for something that is no list of objects.
    """
    return [
        expect(one, dict, source, f"{what}[{number}]")
        for number, one in enumerate(expect(value, list, source, what))
    ]


class _Decoder(json.JSONDecoder):
    def __init__(self, file, text):
        super().__init__(parse_constant=self._refuse, object_pairs_hook=list)
        self._file = file
        self._ends = [one.start() for one in re.finditer("\n", text)]
        # The scanner in C does not say where it is.
        parse = self.parse_object

        def located(text_and_place, *arguments):
            pairs, end = parse(text_and_place, *arguments)
            value = Located(pairs)
            line = bisect.bisect_left(self._ends, text_and_place[1] - 1) + 1
            value.source = f"{file}:{line}"
            if len(value) < len(pairs):
                twice = next(key for key, count in Counter(key for key, _ in pairs).items()
                             if count > 1)  # fmt: skip
                raise AnnotationError(f"{value.source}: received the field {twice!r} twice")
            return value, end

        self.parse_object = located
        self.scan_once = json.scanner.py_make_scanner(self)

    def _refuse(self, constant):
        raise AnnotationError(f"{self._file}: received {constant}, expected JSON without it")
