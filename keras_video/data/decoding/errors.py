"""What is raised for a file that cannot be read."""

import os

from ..annotations.records import printable


class DecodeError(ValueError):
    """A video could not be decoded. It can be pickled, so it crosses processes.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        wanted: index of the frame that was asked for, or None when no frame was.
        found: number of frames found, or None when unknown.
    """

    verb = "decode"  # what could not be done, in the message

    def __init__(self, path, reason, wanted=None, found=None):
        self.path, self.reason, self.wanted, self.found = os.fspath(path), reason, wanted, found
        details = "" if wanted is None else f"; wanted frame {wanted}"
        details += "" if found is None else f"; found {found} frames"
        # TensorFlow loses messages that are not UTF-8, as names of files may be.
        message = f"cannot {self.verb} {printable(self.path)}: {reason}{details}"
        super().__init__(message.encode("utf-8", "backslashreplace").decode())

    def __reduce__(self):
        # Exceptions are rebuilt from their message alone unless told otherwise.
        given = (self.path, self.reason, self.wanted, self.found)
        return _rebuilt, (type(self), given), self.__dict__


def _rebuilt(kind, given):
    error = kind.__new__(kind)
    DecodeError.__init__(error, *given)
    return error
