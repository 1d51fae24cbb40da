"""Where pieces of work are done: in this process, or by others that report to it."""

import contextlib
import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
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
    """Does jobs in this process.

    Attributes:
        workers: threads that work at the same time, each with a worker of its own; 1 does one job
            after the other. More are for work that leaves Python's lock, such as reading files.

    Raises:
        ValueError: for fewer than one worker.
    """

    workers: int = 1

    def __post_init__(self):
        if self.workers < 1:
            raise ValueError(f"workers={self.workers}: expected at least 1")

    def run(self, make_worker, jobs):
        """Does all jobs.

        Args:
            make_worker: called once in every process that works; it gives the worker, a function
                from a `Job` to a generator that yields for every item and returns something.
            jobs: a sequence of `Job`.

        Yields:
            `Event`s; those of jobs that are done side by side come mixed. What a worker raises is
            raised.
        """
        if self.workers > 1 and len(jobs) > 1:
            yield from _side_by_side(make_worker, jobs, min(self.workers, len(jobs)))
            return
        worker = make_worker() if jobs else None
        for number, job in enumerate(jobs):
            yield Event(number, "began")
            for kind, value in steps(worker, job):
                yield Event(number, kind, value)


def _side_by_side(make_worker, jobs, workers):
    """The `Event`s of jobs that so many threads do."""
    waiting, news, stopped = queue.SimpleQueue(), queue.SimpleQueue(), threading.Event()
    for number in range(len(jobs)):
        waiting.put(number)

    def work():
        try:
            worker = make_worker()
            while not stopped.is_set():
                number = waiting.get_nowait()
                news.put(Event(number, "began"))
                with contextlib.closing(steps(worker, jobs[number])) as found:
                    for kind, value in found:
                        if stopped.is_set():
                            return
                        news.put(Event(number, kind, value))
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001
            news.put(error)
        finally:
            news.put(None)

    with ThreadPoolExecutor(workers) as pool:
        working = len([pool.submit(work) for _ in range(workers)])
        try:
            while working:
                event = news.get()
                if isinstance(event, BaseException):
                    raise event
                working -= event is None
                if event is not None:
                    yield event
        finally:
            stopped.set()


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
