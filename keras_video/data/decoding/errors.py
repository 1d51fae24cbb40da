"""The exception for files that cannot be read."""

import os

from ..annotations.records import printable


class DecodeError(ValueError):
    """A video could not be decoded. Picklable, so that it can be passed between processes.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        requested_frame: index of the requested frame, or None if not applicable.
        frame_count: number of frames found, or None when unknown.
    """

    verb = "decode"  # what could not be done, in the message

    def __init__(self, path, reason, requested_frame=None, frame_count=None):
        self.path, self.reason = os.fspath(path), reason
        self.requested_frame, self.frame_count = requested_frame, frame_count
        details = "" if requested_frame is None else f"; requested frame {requested_frame}"
        details += "" if frame_count is None else f"; found {frame_count} frames"
        # TensorFlow drops messages that are not UTF-8, which file names may not be.
        message = f"cannot {self.verb} {printable(self.path)}: {reason}{details}"
        super().__init__(message.encode("utf-8", "backslashreplace").decode())

    def __reduce__(self):
        # By default exceptions are unpickled from their message alone.
        given = (self.path, self.reason, self.requested_frame, self.frame_count)
        return _rebuilt, (type(self), given), self.__dict__


def _rebuilt(kind, given):
    error = kind.__new__(kind)
    DecodeError.__init__(error, *given)
    return error
