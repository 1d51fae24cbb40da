"""Work on a Ray cluster: an actor for each worker, which keeps what it has built."""

import contextlib
import os
from collections import Counter, deque
from dataclasses import dataclass

from absl import logging

from keras_video.sharded.engines import Event, WorkerDiedError, processors
from keras_video.sharded.ray_actor import Actor, worker_environment

# What an object store takes besides the workers' description; Ray wants 75 MiB at least.
_STORE_BYTES = 100 * 2**20
# Seconds without any news after which it is said that no worker has started.
_PATIENCE = 60


@dataclass(frozen=True)
class RayEngine:
    """Does jobs on Ray: a cluster that is there, or one started on this machine for the time.

    Every worker is an actor in a process of its own. One that dies is replaced, and its job is done
    again from its beginning; a job that no worker survives is an error. The workers' Keras backend
    is that of this process, and each takes its share of the processors.

    Attributes:
        workers: actors at the same time.
        address: of a cluster, "auto" for the one of this machine; `None` starts one. A process that
            is connected to a cluster stays with it.
        attempts: how often a job is begun before its workers' deaths are an error.

    Raises:
        ImportError: if Ray is not installed.
        ValueError: for fewer than one worker or attempt.
    """

    workers: int = 2
    address: str | None = None
    attempts: int = 3

    def __post_init__(self):
        for name in ("workers", "attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        import_ray()

    def run(self, make_worker, jobs):
        """As `LocalEngine.run`; jobs are done side by side, their events come mixed.

        Raises:
            WorkerDiedError: naming the job, and the item it was at, when its workers have died
                `attempts` times.
        """
        if not jobs:
            return
        ray = import_ray()
        described = ray.cloudpickle.dumps(make_worker)
        with _cluster(ray, self, len(described)) as threads:
            crew = _Crew(ray, ray.put(described), jobs, self, threads)
            try:
                yield from crew.events()
            finally:
                crew.dismiss()


def import_ray():
    """The package Ray.

    Raises:
        ImportError: saying how it is installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "'ray' is missing: work on a cluster needs pip install keras-video[ray]", name="ray"
        ) from error
    return ray


@contextlib.contextmanager
def _cluster(ray, engine, size):
    """A connection to a cluster while it is needed; threads that each worker may take."""
    if ray.is_initialized():
        if engine.address is not None:
            raise ValueError(
                f"address={engine.address!r}: this process is connected to a cluster already, "
                "expected None"
            )
        yield _threads(ray, engine.workers)
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if engine.address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=max(engine.workers, processors()),
            include_dashboard=False,
            object_store_memory=_STORE_BYTES + 2 * size,
            **quiet,
        )
        threads = max(1, processors() // engine.workers)
    else:
        ray.init(address=engine.address, **quiet)
        threads = _threads(ray, engine.workers)
    try:
        yield threads
    finally:
        ray.shutdown()


def _threads(ray, workers):
    """Processors for each of so many workers, so that all of them find room on some machine."""
    machines = [one["Resources"].get("CPU", 0) for one in ray.nodes() if one["Alive"]]
    machines = [count for count in machines if count >= 1] or [1]
    return max(1, int(min(sum(machines) // workers, *machines)))


class _Crew:
    """The actors of a run, and who does what."""

    def __init__(self, ray, described, jobs, engine, threads):
        self._ray, self._described, self._jobs = ray, described, jobs
        self._attempts = engine.attempts
        self._count = min(engine.workers, len(jobs))
        self._kind = ray.remote(Actor).options(num_cpus=threads, max_restarts=0)
        self._environment = worker_environment(threads)
        self._waiting = deque(range(len(jobs)))
        self._deaths, self._failed_starts = Counter(), 0
        self._starting = {}  # what tells that an actor is ready: the actor
        self._working = {}  # the steps of a job: [actor, job, items done]
        self._death = (
            ray.exceptions.RayActorError,
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
            ray.exceptions.ObjectLostError,
        )

    def events(self):
        """The `Event`s of all jobs."""
        for _ in range(self._count):
            self._hire()
        while self._waiting or self._working:
            news = [*self._working, *self._starting]
            ready, _ = self._ray.wait(news, num_returns=1, timeout=_PATIENCE)
            if not ready:
                self._say_waiting()
            elif ready[0] in self._starting:
                yield from self._started(ready[0])
            else:
                yield from self._step(ready[0])

    def dismiss(self):
        """Ends all actors, at work or not."""
        for actor in [*self._starting.values(), *(one[0] for one in self._working.values())]:
            self._ray.kill(actor)
        self._starting, self._working = {}, {}

    def _hire(self):
        actor = self._kind.remote(self._described, self._environment)
        self._starting[actor.prepare.remote()] = actor

    def _started(self, ready):
        actor = self._starting.pop(ready)
        try:
            error = self._ray.get(ready)
        except self._death as death:
            self._failed_starts += 1
            if self._failed_starts >= self._attempts:
                raise WorkerDiedError(
                    f"a worker has died {self._failed_starts} times before it began to work: "
                    f"{_brief(death)}"
                ) from death
            logging.warning("A worker died before it began to work, it is replaced.")
            self._hire()
            return
        if error is not None:
            self._ray.kill(actor)
            raise self._ray.cloudpickle.loads(error)
        self._failed_starts = 0
        yield from self._assign(actor)

    def _assign(self, actor):
        """Gives an actor the next job, or sends it away."""
        if not self._waiting:
            self._ray.kill(actor)
            return
        job = self._waiting.popleft()
        # A worker waits until an item was counted: then it is known where it died.
        options = {"num_returns": "streaming", "_generator_backpressure_num_objects": 1}
        work = actor.work.options(**options).remote(self._jobs[job])
        self._working[work] = [actor, job, 0]
        yield Event(job, "began")

    def _step(self, work):
        actor, job, _ = self._working[work]
        try:
            kind, value = self._ray.get(next(work))
        except self._death as death:
            self._replace(work, death)
            return
        if kind == "error":
            raise self._ray.cloudpickle.loads(value)
        yield Event(job, kind, value)
        if kind == "done":
            del self._working[work]
            yield from self._assign(actor)
        else:
            self._working[work][2] += 1

    def _replace(self, work, death):
        """Puts another actor in the place of one that died, and its job back in front."""
        actor, number, done = self._working.pop(work)
        # One that only cannot be reached must not go on.
        self._ray.kill(actor)
        self._deaths[number] += 1
        job = self._jobs[number]
        place = f"{job.name}, after {done} of {len(job.items)} items, at {job.item_name(done)}"
        if self._deaths[number] >= self._attempts:
            raise WorkerDiedError(
                f"{place} or soon behind it: {self._deaths[number]} workers have died, expected "
                f"one to get to its end. The last: {_brief(death)}"
            ) from death
        logging.warning("A worker died in %s: it is replaced, and the work done again.", place)
        self._waiting.appendleft(number)
        self._hire()

    def _say_waiting(self):
        if self._working:
            return
        alive = sum(one["Alive"] for one in self._ray.nodes())
        if not alive:
            raise RuntimeError("the Ray cluster has no machine left, expected one: start it again")
        free = self._ray.available_resources().get("CPU", 0)
        logging.warning(
            "No worker has started in %d seconds: the cluster has %d machines and %g processors "
            "free.",
            _PATIENCE,
            alive,
            free,
        )


def _brief(death):
    """The end of what Ray says of a death, without its advice."""
    lines = [line.strip() for line in str(death).splitlines() if line.strip()]
    return (lines[-1] if lines else type(death).__name__).partition(" Some common causes")[0]
