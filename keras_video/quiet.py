"""Suppresses TensorFlow's startup messages."""

import contextlib
import os
import re
import sys
import tempfile

# Lines of TensorFlow and its dependencies, such as "I0000 00:00:17.1 12 port.cc:153] text"
# and "2026-01-01 12:00:00.1: I tensorflow/core/file.cc:1] text".
_STARTUP_LINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IWE]0000 |\d{4}-\d\d-\d\d .*?: [IWE] "
)


@contextlib.contextmanager
def quiet_start():
    """Hides the messages that TensorFlow logs while it is imported; all other lines are shown.

    TensorFlow bypasses Python's `sys.stderr`, and logs before it reads its log level.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # no standard error
        yield
        return
    with tempfile.TemporaryFile() as captured:
        sys.stderr.flush()
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            lines = [line for line in captured if not _STARTUP_LINE.match(line)]
            os.write(2, b"".join(lines))
