"""A report of the files that could not be read or transformed."""

import contextlib
import dataclasses
import itertools
import threading

from absl import logging

from ..annotations.records import printable


@dataclasses.dataclass(frozen=True)
class Failure:
    """A file that could not be read or transformed.

    Attributes:
        path: the file.
        reason: the reason, in one line.
    """

    path: str
    reason: str


class DecodeReport:
    """Counts the examples that could not be read or transformed. Thread-safe.

    A pass over the data counts a video each time it fails; `failures` lists each file once.

    Args:
        quiet: whether to log nothing, because the reader of the report does.
    """

    def __init__(self, quiet=False):
        self._quiet = quiet
        self._lock = threading.Lock()
        self._failures = {}
        self._count = 0
        self._logged = 0
        self._numbers = itertools.count()
        self._in_pass = {}
        self._pass_counts = []
        self._current = threading.local()

    @property
    def count(self):
        """The number of failures in all passes."""
        return self._count

    @property
    def pass_counts(self):
        """The number of failures in each completed pass, in order: a tuple."""
        with self._lock:
            return tuple(self._pass_counts)

    @property
    def failures(self):
        """The files that failed, in the order of their first failure: a tuple of `Failure`."""
        with self._lock:
            return tuple(self._failures.values())

    def add(self, path, reason):
        """Adds a failure of `path`."""
        with self._lock:
            self._count += 1
            self._failures.setdefault(str(path), Failure(str(path), str(reason)))
            number = getattr(self._current, "number", None)
            if number is not None:
                self._in_pass[number] = self._in_pass.get(number, 0) + 1

    def begin_pass(self):
        """Begins a pass and returns its number; see `during`."""
        return next(self._numbers)

    @contextlib.contextmanager
    def during(self, number):
        """Context in which failures added by this thread belong to a pass.

        Passes can overlap: if one is abandoned early, its examples are still being read when the
        next begins.
        """
        self._current.number = number
        try:
            yield
        finally:
            self._current.number = None

    def end_pass(self, number):
        """Logs the failures of a completed pass and returns their number."""
        with self._lock:
            failed = self._in_pass.pop(number, 0)
            self._pass_counts.append(failed)
        self._warn(failed)
        return failed

    def log(self, limit=10):
        """Logs a warning about failures since the last call, if there are any.

        Args:
            limit: maximum number of files to list.
        """
        with self._lock:
            new, self._logged = self._count - self._logged, self._count
        self._warn(new, limit)

    def _warn(self, new, limit=10):
        if not new or self._quiet:
            return
        failures = self.failures
        lines = [f"  {printable(failure.path)}: {failure.reason}" for failure in failures[:limit]]
        if len(failures) > limit:
            lines.append(f"  and {len(failures) - limit} more")
        logging.warning(
            "%d videos could not be used in this pass over the data; %d files so far:\n%s",
            new,
            len(failures),
            "\n".join(lines),
        )
