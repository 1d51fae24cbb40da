"""Lists of names in `Args:` that go over several lines, for the reader of docstrings of the site.

It expects the names of an entry in one line: `a, b,` and `c: see other` become `a, b, c: see ...`.
"""

import re

import griffe

_BROKEN = re.compile(r"^( +\w+(?:, \w+)*,)\n +(?=\w+(?:, \w+)*[,:])", re.MULTILINE)


class NameLists(griffe.Extension):
    """Joins such lines in every docstring."""

    def on_object(self, *, obj, **_):
        if obj.docstring is not None:
            value = obj.docstring.value
            while (joined := _BROKEN.sub(r"\1 ", value)) != value:
                value = joined
            obj.docstring.value = value
