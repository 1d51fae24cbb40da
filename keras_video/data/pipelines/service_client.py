"""The training's side of a data service."""

import collections
import contextlib
import threading
import time

from absl import logging

from . import wire
from .specs import encode

# So long no worker may be there before that is an error.
PATIENCE_SECONDS = 30.0
# So long a worker may read one example.
REPLY_SECONDS = 600.0
# So many workers may be lost over one example, which then is what they are lost by.
LOSSES = 5
_AGAIN_SECONDS = 0.5
_ASK_SECONDS = 2.0


class Client:
    """Asks the workers of a dispatcher for examples, from any number of threads.

    Args:
        service: address of the dispatcher.
        description: of the reader, as the workers take it.
        records: of the examples.
    """

    def __init__(self, service, description, records):
        wire.parse_address(service)
        self._service, self._description, self._records = service, description, records
        self._lock = threading.Lock()
        self._idle = collections.defaultdict(list)
        self._busy = collections.Counter()
        self._known, self._asked = (), -float("inf")

    def example(self, epoch, index):
        """Clip and label of a record in an epoch, None if it did not decode.

        Raises:
            ValueError: what the worker says is wrong, or no worker answers.
        """
        question = {"ask": "example", "epoch": epoch, "index": index}
        question["record"] = encode(self._records[index], "record")
        end, losses, reason = time.monotonic() + PATIENCE_SECONDS, 0, "there is none"
        while time.monotonic() < end and losses < LOSSES:
            for address in self._workers():
                try:
                    line = self._line(address)
                except (OSError, wire.WireError) as error:
                    reason = f"{address}: {error}"
                    continue
                try:
                    answer = self._ask(address, line, question)
                except (OSError, wire.WireError) as error:
                    reason = f"{address}: {error}"
                    logging.warning("Lost the worker %s, asking another", reason)
                    losses, end = losses + 1, time.monotonic() + PATIENCE_SECONDS
                    break
                return self._checked(*answer)
            else:
                time.sleep(_AGAIN_SECONDS)
        told = f"{losses} workers were lost" if losses else f"none for {PATIENCE_SECONDS:.0f} s"
        raise ValueError(
            f"no worker of the dispatcher {self._service} answers ({told}; {reason}): "
            f"{self._records[index].path}"
        )

    def _workers(self):
        """Addresses of the workers, the least busy first; the last known where nobody tells."""
        with self._lock:
            due = time.monotonic() > self._asked + _ASK_SECONDS
            if due:
                self._asked = time.monotonic()
        if due:
            with contextlib.suppress(OSError, wire.WireError), wire.connect(self._service) as line:
                wire.send(line, {"ask": "workers"})
                told, _ = wire.receive(line)
                self._known = tuple(str(address) for address in told["workers"])
        return sorted(self._known, key=lambda address: self._busy[address])

    def _line(self, address):
        """A connection to a worker that knows the reader."""
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

    def _ask(self, address, line, question):
        with self._lock:
            self._busy[address] += 1
        try:
            wire.send(line, question)
            answer = wire.receive(line)
        except BaseException:
            line.close()
            with self._lock:  # the others lead to the same worker
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
