"""A griffe extension for lists of names in `Args:` that are wrapped over several lines.

The docstring parser expects all names of an entry on one line: the lines `a, b,` and
`c: see other` are joined to `a, b, c: see other`.
"""

import re

import griffe

_BROKEN = re.compile(r"^( +\w+(?:, \w+)*,)\n +(?=\w+(?:, \w+)*[,:])", re.MULTILINE)


class NameLists(griffe.Extension):
    """Joins wrapped lists of names in every docstring."""

    def on_object(self, *, obj, **_):
        if obj.docstring is not None:
            value = obj.docstring.value
            while (joined := _BROKEN.sub(r"\1 ", value)) != value:
                value = joined
            obj.docstring.value = value
