"""Processing of a long list in shards, each written once; finished ones are reused."""

import contextlib
import functools
from dataclasses import dataclass, field

from keras_video.progress import progress_bar
from keras_video.sharded.engines import Job, LocalEngine
from keras_video.sharded.folders import checksum, open_folder
from keras_video.sharded.manifest import Manifest


@dataclass(frozen=True)
class Shard:
    """A part of a list that becomes one file.

    Attributes:
        name: of the file.
        items: its items, in order. Their `repr` identifies them: a run resumes only with the same
            ones. They must be picklable.
    """

    name: str
    items: tuple


@dataclass(frozen=True)
class ShardSummary:
    """The result of a run over shards.

    Attributes:
        created: number of shards written by this run.
        reused: number of shards reused from earlier runs.
        count: rows in all shards.
        failed: `(item, reason)` of every item that is in no shard, earlier runs included.
        finished: the manifest's entry of each shard by its name, in order.
    """

    created: int
    reused: int
    count: int
    failed: tuple
    finished: dict = field(repr=False)


def split_into_shards(items, size, suffix):
    """`Shard`s of up to `size` items, named such as "shard-00003-of-00010.npz".

    Raises:
        ValueError: for a size below 1.
    """
    if size < 1:
        raise ValueError(f"shard_size={size}: expected at least 1")
    items = tuple(items)
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return [
        Shard(f"shard-{number:05}-of-{len(parts):05}{suffix}", part)
        for number, part in enumerate(parts)
    ]


def run_shards(
    make_worker,
    shards,
    folder,
    *,
    settings,
    engine=None,
    companions=(),
    check="content",
    verbose=1,
):
    """Writes a file for every shard, and a manifest.

    A run that was stopped or killed resumes when it is started again: intact shards are reused,
    damaged and unfinished ones are written again.

    Args:
        make_worker: called once in every worker process. It returns a generator function
            `worker(items, path)` that writes the file `path`, yields once per finished item, and
            returns `{"count": rows written, "failed": [[item, reason], ...]}` with any further
            JSON values, which the manifest stores. With `companions` it also receives the paths of
            these files, and writes them too. A `RayEngine` pickles `make_worker` by value if it
            cannot be imported; a `functools.partial` of a class works. Models are built in it,
            since each process needs its own.
        shards: `Shard`s, see `split_into_shards`.
        folder: a folder, or an fsspec URL. Workers on several machines need one that is visible to
            all of them.
        settings: JSON values that, besides the items, determine the files' content.
        companions: suffixes, appended to a shard's name, of files that belong to it.
        check: how files of an earlier run are checked: by "content", or by "size" alone, which
            reads none of them.
        engine: a `RayEngine` or `LocalEngine`; a `LocalEngine` if `None`.
        verbose: 0 shows no progress.

    Returns:
        A `ShardSummary`.

    Raises:
        ValueError: if the folder has shards of other settings or items, naming what differs, two
            shards have the same name, or a worker does not account for every item.
        WorkerDiedError: see `RayEngine`.
        RuntimeError: if another process is using the folder.
    """
    if check not in ("content", "size"):
        raise ValueError(f"check={check!r}: expected 'content' or 'size'")
    place, engine = open_folder(folder), engine or LocalEngine()
    items = {shard.name: shard.items for shard in shards}
    if len(items) != len(shards):
        raise ValueError(
            f"received {len(shards)} shards of {len(items)} names, expected distinct ones"
        )
    with place.held():
        manifest = Manifest(place, settings, items)
        intact = manifest.intact(verbose, content=check == "content")
        jobs = [Job(name, part) for name, part in items.items() if name not in intact]
        make_writer = functools.partial(_ShardWriter, make_worker, str(place), tuple(companions))
        bar = _ItemBar(jobs, verbose)
        for event in engine.run(make_writer, jobs):
            bar.follow(event)
            if event.kind == "done":
                job = jobs[event.job]
                _check_count(job, event.value)
                manifest.record(job.name, event.value)
    finished = {name: manifest.finished[name] for name in items}
    return ShardSummary(
        created=len(jobs),
        reused=len(intact),
        count=sum(facts["count"] for facts in finished.values()),
        failed=tuple(tuple(pair) for facts in finished.values() for pair in facts["failed"]),
        finished=finished,
    )


class _ShardWriter:
    """Runs a job in a worker process: the worker writes a file, which is then hashed."""

    def __init__(self, make_worker, folder, companions):
        self._worker, self._place, self._endings = make_worker(), open_folder(folder), companions

    def __call__(self, job):
        with contextlib.ExitStack() as stack:
            # Renamed last to first: a shard that exists has its companions.
            names = (job.name, *(job.name + ending for ending in self._endings))
            parts = [stack.enter_context(self._place.writing(name)) for name in names]
            facts = yield from self._worker(job.items, *parts)
            file, *companions = [_facts(part) for part in parts]
        facts = {"failed": [], **facts, **file}
        if companions:
            facts["companions"] = dict(zip(self._endings, companions, strict=True))
        return facts


def _facts(path):
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": checksum(file)}


def _check_count(job, facts):
    """Rejects a shard that lacks items or has some twice."""
    rows, failed = facts["count"], len(facts["failed"])
    if rows + failed != len(job.items):
        raise ValueError(
            f"{job.name}: received {rows} rows and {failed} failures, expected "
            f"{len(job.items)} together"
        )


class _ItemBar:
    """A progress bar over the items of all jobs; items of restarted jobs count once."""

    def __init__(self, jobs, verbose):
        count = sum(len(job.items) for job in jobs)
        self._bar = progress_bar(count, "item", verbose) if jobs else None
        self._done, self._shown = [0] * len(jobs), [0] * len(jobs)

    def follow(self, event):
        if event.kind == "began":
            self._done[event.job] = 0
        elif event.kind == "item":
            self._done[event.job] += 1
            if self._done[event.job] > self._shown[event.job]:
                self._shown[event.job] += 1
                self._bar.add(1)
