"""The client of a data service."""

import collections
import contextlib
import threading
import time

from absl import logging

from . import wire
from .specs import encode

# How long to wait for a worker before raising an error.
PATIENCE_SECONDS = 30.0
# How long a worker may take for one example.
REPLY_SECONDS = 600.0
# After losing this many workers on the same example, assume that the example is the cause.
LOSSES = 5
_RETRY_SECONDS = 0.5
_REFRESH_SECONDS = 2.0


class Client:
    """Asks the workers of a dispatcher for examples, from any number of threads.

    Args:
        service: address of the dispatcher.
        description: description of the reader for the workers.
        records: records of the examples.
    """

    def __init__(self, service, description, records):
        wire.parse_address(service)
        self._service, self._description, self._records = service, description, records
        self._lock = threading.Lock()
        self._idle = collections.defaultdict(list)
        self._busy = collections.Counter()
        self._known, self._asked = (), -float("inf")

    def example(self, epoch, index):
        """Clip and label of a record in an epoch, None if it failed to decode.

        Raises:
            ValueError: for an error reported by a worker, or if no worker answers.
        """
        request = {"ask": "example", "epoch": epoch, "index": index}
        request["record"] = encode(self._records[index], "record")
        end, losses, reason = time.monotonic() + PATIENCE_SECONDS, 0, "there is none"
        while time.monotonic() < end and losses < LOSSES:
            for address in self._workers():
                try:
                    line = self._line(address)
                except (OSError, wire.WireError) as error:
                    reason = f"{address}: {error}"
                    continue
                try:
                    answer = self._ask(address, line, request)
                except (OSError, wire.WireError) as error:
                    reason = f"{address}: {error}"
                    logging.warning("Lost the worker %s, asking another", reason)
                    losses, end = losses + 1, time.monotonic() + PATIENCE_SECONDS
                    break
                return self._checked(*answer)
            else:
                time.sleep(_RETRY_SECONDS)
        status = f"{losses} workers were lost" if losses else f"none for {PATIENCE_SECONDS:.0f} s"
        raise ValueError(
            f"no worker of the dispatcher {self._service} answers ({status}; {reason}): "
            f"{self._records[index].path}"
        )

    def _workers(self):
        """Addresses of the workers, least busy first; the last known ones if there is no reply."""
        with self._lock:
            due = time.monotonic() > self._asked + _REFRESH_SECONDS
            if due:
                self._asked = time.monotonic()
        if due:
            with contextlib.suppress(OSError, wire.WireError), wire.connect(self._service) as line:
                wire.send(line, {"ask": "workers"})
                reply, _ = wire.receive(line)
                self._known = tuple(str(address) for address in reply["workers"])
        return sorted(self._known, key=lambda address: self._busy[address])

    def _line(self, address):
        """A connection to a worker on which the reader has been opened."""
        with self._lock:
            if self._idle[address]:
                return self._idle[address].pop()
        line = wire.connect(address)
        try:
            line.settimeout(REPLY_SECONDS)
            wire.send(line, {"ask": "open", "reader": self._description})
            self._checked(*wire.receive(line))
        except BaseException:
            line.close()
            raise
        return line

    def _ask(self, address, line, request):
        with self._lock:
            self._busy[address] += 1
        try:
            wire.send(line, request)
            answer = wire.receive(line)
        except BaseException:
            line.close()
            with self._lock:  # idle connections lead to the same lost worker
                for other in self._idle.pop(address, ()):
                    other.close()
                self._asked = -float("inf")
            raise
        finally:
            with self._lock:
                self._busy[address] -= 1
        with self._lock:
            self._idle[address].append(line)
        return answer

    @staticmethod
    def _checked(answer, arrays):
        if "error" in answer:
            raise ValueError(answer["error"])
        return tuple(arrays) if arrays else None
