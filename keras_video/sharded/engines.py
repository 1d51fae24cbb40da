"""Where pieces of work are done: in this process, or by others that report to it."""

import os
from dataclasses import dataclass

# Says in a process that an engine has started how many processors it may take.
PROCESSORS = "KERAS_VIDEO_WORKER_PROCESSORS"


class WorkerDiedError(RuntimeError):
    """A process that did a piece of work has ended, more often than was allowed."""


@dataclass(frozen=True)
class Job:
    """A piece of work.

    Attributes:
        name: what it is called in messages.
        items: what it is made of, one after the other; they can be pickled.
    """

    name: str
    items: tuple

    def item_name(self, index):
        """What an item is called in messages: its path, where it has one."""
        if not 0 <= index < len(self.items):
            return "its end"
        item = self.items[index]
        return str(getattr(item, "path", item))


@dataclass(frozen=True)
class Event:
    """What has become of a job.

    Attributes:
        job: its number.
        kind: "began", once for every attempt, "item" for what the worker yields for each item, in
            order, and "done" for what it returns.
        value: what was yielded or returned; `None` for "began".
    """

    job: int
    kind: str
    value: object = None


@dataclass(frozen=True)
class LocalEngine:
    """Does one job after the other in this process."""

    def run(self, make_worker, jobs):
        """Does all jobs.

        Args:
            make_worker: called once in every process that works; it gives the worker, a function
                from a `Job` to a generator that yields for every item and returns something.
            jobs: a sequence of `Job`.

        Yields:
            `Event`s. What a worker raises is raised.
        """
        worker = make_worker() if jobs else None
        for number, job in enumerate(jobs):
            yield Event(number, "began")
            for kind, value in steps(worker, job):
                yield Event(number, kind, value)


def steps(worker, job):
    """`("item", value)` for all that a worker yields, then `("done", value)`."""
    generator = worker(job)
    while True:
        try:
            value = next(generator)
        except StopIteration as end:
            yield "done", end.value
            return
        yield "item", value


def processors():
    """How many processors this process may take: a worker its share, others all."""
    given = os.environ.get(PROCESSORS)
    if given is not None:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
