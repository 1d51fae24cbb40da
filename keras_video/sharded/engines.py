"""Engines that run jobs, in this process or in worker processes."""

import contextlib
import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

# Environment variable of worker processes: the number of processors that they may use.
PROCESSORS = "KERAS_VIDEO_WORKER_PROCESSORS"


class WorkerDiedError(RuntimeError):
    """Workers of a job died more often than allowed."""


@dataclass(frozen=True)
class Job:
    """A piece of work.

    Attributes:
        name: its name in messages.
        items: its items, processed in order; they must be picklable.
    """

    name: str
    items: tuple

    def item_name(self, index):
        """The name of an item in messages: its path, if it has one."""
        if not 0 <= index < len(self.items):
            return "its end"
        item = self.items[index]
        return str(getattr(item, "path", item))


@dataclass(frozen=True)
class Event:
    """Progress of a job.

    Attributes:
        job: index of the job.
        kind: "began", once per attempt, "item" for the value that the worker yields for each item,
            in order, and "done" for its return value.
        value: the yielded or returned value; `None` for "began".
    """

    job: int
    kind: str
    value: object = None


@dataclass(frozen=True)
class LocalEngine:
    """Runs jobs in this process.

    Attributes:
        workers: number of threads, each with its own worker; with 1, jobs run sequentially. More
            help work that releases the GIL, such as reading files.

    Raises:
        ValueError: for fewer than one worker.
    """

    workers: int = 1

    def __post_init__(self):
        if self.workers < 1:
            raise ValueError(f"workers={self.workers}: expected at least 1")

    def run(self, make_worker, jobs):
        """Runs all jobs.

        Args:
            make_worker: called once in every thread or process; returns the worker, a function
                from a `Job` to a generator that yields once per item and returns a result.
            jobs: a sequence of `Job`.

        Yields:
            `Event`s; those of concurrent jobs are interleaved. Exceptions of workers propagate.
        """
        if self.workers > 1 and len(jobs) > 1:
            yield from _run_threads(make_worker, jobs, min(self.workers, len(jobs)))
            return
        worker = make_worker() if jobs else None
        for number, job in enumerate(jobs):
            yield Event(number, "began")
            for kind, value in steps(worker, job):
                yield Event(number, kind, value)


def _run_threads(make_worker, jobs, workers):
    """The `Event`s of jobs run by the given number of threads."""
    waiting, events, stopped = queue.SimpleQueue(), queue.SimpleQueue(), threading.Event()
    for number in range(len(jobs)):
        waiting.put(number)

    def work():
        try:
            worker = make_worker()
            while not stopped.is_set():
                number = waiting.get_nowait()
                events.put(Event(number, "began"))
                with contextlib.closing(steps(worker, jobs[number])) as results:
                    for kind, value in results:
                        if stopped.is_set():
                            return
                        events.put(Event(number, kind, value))
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001
            events.put(error)
        finally:
            events.put(None)

    with ThreadPoolExecutor(workers) as pool:
        working = len([pool.submit(work) for _ in range(workers)])
        try:
            while working:
                event = events.get()
                if isinstance(event, BaseException):
                    raise event
                working -= event is None
                if event is not None:
                    yield event
        finally:
            stopped.set()


def steps(worker, job):
    """`("item", value)` for every value a worker yields, then `("done", return value)`."""
    generator = worker(job)
    while True:
        try:
            value = next(generator)
        except StopIteration as end:
            yield "done", end.value
            return
        yield "item", value


def processors():
    """Number of processors this process may use: a worker's share, or all of them."""
    limit = os.environ.get(PROCESSORS)
    if limit is not None:
        return int(limit)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
