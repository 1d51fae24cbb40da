"""A start of TensorFlow that says nothing of TensorFlow."""

import contextlib
import os
import re
import sys
import tempfile

# Lines of TensorFlow and what it is made of: of the kinds "I0000 00:00:17.1 12 port.cc:153] text"
# and "2026-01-01 12:00:00.1: I tensorflow/core/file.cc:1] text".
_STARTING = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IWE]0000 |\d{4}-\d\d-\d\d .*?: [IWE] "
)


@contextlib.contextmanager
def quiet_start():
    """Keeps back what TensorFlow says of itself while it is loaded; all other lines are shown.

    It writes these lines past Python, and before it reads how much it should say.
    """
    try:
        error = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(error, 2)
            os.close(error)
            kept.seek(0)
            lines = [line for line in kept if not _STARTING.match(line)]
            os.write(2, b"".join(lines))
