"""Small workers for tests."""

import contextlib
import functools
import json
import os
import signal
from pathlib import Path

from keras_video.sharded import split_into_shards

with contextlib.suppress(ImportError):  # every worker process must know these URLs
    from tests.sharded import loopback  # noqa: F401

SETTINGS = {"factor": 10}


def numbers(count=10, size=4):
    """Shards of consecutive numbers from 0."""
    return split_into_shards(range(count), size, ".json")


class Times:
    """Writes numbers times ten; negative ones fail. Records every shard that it begins.

    Args:
        log: a file that gets a line for each shard.
        killed_at: an item at which the process kills itself, while `log` has fewer lines than
            `until`.
        wrong: an item that is an error.
    """

    def __init__(self, log, killed_at=None, until=10**9, wrong=None):
        self.log, self.killed_at, self.until, self.wrong = Path(log), killed_at, until, wrong

    def __call__(self, items, path):
        with self.log.open("a") as file:
            file.write(f"{path.name.rpartition('shard-')[2]} {os.getpid()}\n")
        rows, failed = [], []
        for item in items:
            if item == self.killed_at and len(begun(self.log)) < self.until:
                os.kill(os.getpid(), signal.SIGKILL)
            if item == self.wrong:
                raise ValueError(f"received {item}, expected another number")
            rows.append(item * 10) if item >= 0 else failed.append([str(item), "is negative"])
            yield
        path.write_text(json.dumps(rows))
        return {"count": len(rows), "failed": failed, "most": max(rows, default=0)}


def times(log, **arguments):
    """A `make_worker` that can be pickled."""
    return functools.partial(Times, log, **arguments)


def begun(log):
    """Shards in the order in which they were begun."""
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def content(folder, shards):
    """All rows of a folder, in order."""
    return [row for shard in shards for row in json.loads((folder / shard.name).read_text())]
