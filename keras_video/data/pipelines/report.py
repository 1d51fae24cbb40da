"""What could not be decoded."""

import dataclasses
import threading

from absl import logging


@dataclasses.dataclass(frozen=True)
class Failure:
    """A file that did not decode.

    Attributes:
        path: the file.
        reason: what was wrong, in one line.
    """

    path: str
    reason: str


class DecodeReport:
    """Counts the videos that did not decode. Thread-safe.

    A pass over the data counts a video each time it fails; `failures` lists every file once.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._failures = {}
        self._count = 0
        self._logged = 0

    @property
    def count(self):
        """How often decoding failed."""
        return self._count

    @property
    def failures(self):
        """The files that failed, in the order in which they first did: a tuple of `Failure`."""
        with self._lock:
            return tuple(self._failures.values())

    def add(self, path, reason):
        """Note that `path` did not decode."""
        with self._lock:
            self._count += 1
            self._failures.setdefault(str(path), Failure(str(path), str(reason)))

    def log(self, limit=10):
        """Warn through absl of what failed since the last call; say nothing when nothing did.

        Args:
            limit: the greatest number of files to name.
        """
        with self._lock:
            new, self._logged = self._count - self._logged, self._count
            failures = list(self._failures.values())
        if not new:
            return
        lines = [f"  {failure.path}: {failure.reason}" for failure in failures[:limit]]
        if len(failures) > limit:
            lines.append(f"  and {len(failures) - limit} more")
        logging.warning(
            "%d videos did not decode in this pass over the data; %d files so far:\n%s",
            new,
            len(failures),
            "\n".join(lines),
        )
