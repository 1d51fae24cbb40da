"""Jobs on a Ray cluster: one actor per worker, which builds its model once."""

import contextlib
import os
from collections import Counter, deque
from dataclasses import dataclass

from absl import logging

from keras_video.sharded.engines import Event, WorkerDiedError, processors
from keras_video.sharded.ray_actor import Actor, worker_environment

# Object store size besides the pickled worker; Ray requires at least 75 MiB.
_STORE_BYTES = 100 * 2**20
# Seconds without an event after which a warning says that no worker has started.
_PATIENCE = 60


@dataclass(frozen=True)
class RayEngine:
    """Runs jobs on Ray: on an existing cluster, or on a temporary one on this machine.

    Every worker is an actor in its own process. A worker that dies is replaced, and its job is
    restarted; a job that no worker survives is an error. Workers use this process' Keras backend,
    and divide the processors among them.

    Attributes:
        workers: number of actors.
        address: of a cluster, "auto" for the one on this machine; `None` starts one. A process that
            is already connected to a cluster uses that one.
        attempts: how often a job is started before its workers' deaths are an error.

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
        """As `LocalEngine.run`; jobs run concurrently, their events are interleaved.

        Raises:
            WorkerDiedError: naming the job and its current item, if its workers have died
                `attempts` times.
        """
        if not jobs:
            return
        ray = import_ray()
        pickled = ray.cloudpickle.dumps(make_worker)
        with _cluster(ray, self, len(pickled)) as threads:
            pool = _ActorPool(ray, ray.put(pickled), jobs, self, threads)
            try:
                yield from pool.events()
            finally:
                pool.shut_down()


def import_ray():
    """The package Ray.

    Raises:
        ImportError: if it is not installed, saying how to install it.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "'ray' is missing: running on a cluster needs pip install keras-video[ray]", name="ray"
        ) from error
    return ray


@contextlib.contextmanager
def _cluster(ray, engine, size):
    """Connects to a cluster; yields the number of threads that each worker may use."""
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
    """Processors per worker, chosen so that every worker fits on some machine."""
    cpus = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    cpus = [count for count in cpus if count >= 1] or [1]
    return max(1, int(min(sum(cpus) // workers, *cpus)))


class _ActorPool:
    """The actors of a run, and their assigned jobs."""

    def __init__(self, ray, pickled, jobs, engine, threads):
        self._ray, self._pickled, self._jobs = ray, pickled, jobs
        self._attempts = engine.attempts
        self._count = min(engine.workers, len(jobs))
        self._actor_class = ray.remote(Actor).options(num_cpus=threads, max_restarts=0)
        self._environment = worker_environment(threads)
        self._waiting = deque(range(len(jobs)))
        self._deaths, self._failed_starts = Counter(), 0
        self._starting = {}  # {reference that is ready with the actor: actor}
        self._working = {}  # {steps of a job: [actor, job, items done]}
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
            self._start_actor()
        while self._waiting or self._working:
            pending = [*self._working, *self._starting]
            ready, _ = self._ray.wait(pending, num_returns=1, timeout=_PATIENCE)
            if not ready:
                self._warn_idle()
            elif ready[0] in self._starting:
                yield from self._finish_start(ready[0])
            else:
                yield from self._step(ready[0])

    def shut_down(self):
        """Ends all actors, busy or not."""
        for actor in [*self._starting.values(), *(entry[0] for entry in self._working.values())]:
            self._ray.kill(actor)
        self._starting, self._working = {}, {}

    def _start_actor(self):
        actor = self._actor_class.remote(self._pickled, self._environment)
        self._starting[actor.prepare.remote()] = actor

    def _finish_start(self, ready):
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
            logging.warning("A worker died before it began to work: it is replaced.")
            self._start_actor()
            return
        if error is not None:
            self._ray.kill(actor)
            raise self._ray.cloudpickle.loads(error)
        self._failed_starts = 0
        yield from self._assign(actor)

    def _assign(self, actor):
        """Gives an actor the next job, or ends it."""
        if not self._waiting:
            self._ray.kill(actor)
            return
        job = self._waiting.popleft()
        # Backpressure: a worker waits until an item was counted, so that it is known where it died.
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
        """Replaces an actor that died, and puts its job back at the front of the queue."""
        actor, number, done = self._working.pop(work)
        # An actor that is alive but unreachable must not continue.
        self._ray.kill(actor)
        self._deaths[number] += 1
        job = self._jobs[number]
        location = f"{job.name}, after {done} of {len(job.items)} items, at {job.item_name(done)}"
        if self._deaths[number] >= self._attempts:
            raise WorkerDiedError(
                f"{location} or soon after: {self._deaths[number]} workers have died, expected one "
                f"to finish it. The last: {_brief(death)}"
            ) from death
        logging.warning("A worker died in %s: it is replaced, and the job restarted.", location)
        self._waiting.appendleft(number)
        self._start_actor()

    def _warn_idle(self):
        if self._working:
            return
        alive = sum(node["Alive"] for node in self._ray.nodes())
        if not alive:
            raise RuntimeError("the Ray cluster has no machine left, expected one: restart it")
        free = self._ray.available_resources().get("CPU", 0)
        logging.warning(
            "No worker has started in %d seconds: the cluster has %d machines and %g free "
            "processors.",
            _PATIENCE,
            alive,
            free,
        )


def _brief(death):
    """The last line of Ray's message about a death, without its advice."""
    lines = [line.strip() for line in str(death).splitlines() if line.strip()]
    return (lines[-1] if lines else type(death).__name__).partition(" Some common causes")[0]
