"""Shards of a long list: each made once, by whichever engine, and found again."""

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
        items: what it is made of, in order. Their `repr` says what they are: a folder goes on only
            with the same ones. They can be pickled.
    """

    name: str
    items: tuple


@dataclass(frozen=True)
class ShardSummary:
    """What a folder of shards holds at the end.

    Attributes:
        made: number of shards made now, `kept` of those that were there.
        count: rows in all shards.
        failed: `(item, reason)` of every item that is in none, also of shards that were there.
        finished: by name of a shard, in order, what the manifest says of it.
    """

    made: int
    kept: int
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
    """Makes a file of every shard, and a manifest.

    A run that was stopped, or killed, goes on when it is started again: shards whose files are as
    they were written stay, damaged ones are made again, and so are those that were being made.

    Args:
        make_worker: called once in every process that works. It gives a function
            `worker(items, path)`, a generator: it writes the file `path`, yields once for every
            item it is done with, and returns `{"count": rows written, "failed": [[item, reason],
            ...]}` with any further JSON values, which the manifest keeps. With `companions` it is
            given the paths of these files besides, and writes them too. With a `RayEngine` it is
            pickled by value where it can't be imported: a `functools.partial` of a class will do.
            Models are built in it, since each process needs its own.
        shards: `Shard`s, see `split_into_shards`.
        folder: a folder, or an address that fsspec knows. Workers on several machines need one
            that all of them see.
        settings: JSON values that decide the files' content besides the items.
        companions: endings, put behind a shard's name, of files that belong to it.
        check: how closely files of an earlier run are looked at: "content", or "size" alone, which
            reads none of them.
        engine: where it runs, a `RayEngine` or `LocalEngine`; in this process if `None`.
        verbose: 0 shows no progress.

    Returns:
        A `ShardSummary`.

    Raises:
        ValueError: if the folder has shards of other settings or items, naming what differs, two
            shards have one name, or a worker does not account for every item.
        WorkerDiedError: see `RayEngine`.
        RuntimeError: if another process fills the folder.
    """
    if check not in ("content", "size"):
        raise ValueError(f"check={check!r}: expected 'content' or 'size'")
    place, engine = open_folder(folder), engine or LocalEngine()
    items = {shard.name: shard.items for shard in shards}
    if len(items) != len(shards):
        raise ValueError(f"received {len(shards)} shards of {len(items)} names, expected as many")
    with place.held():
        manifest = Manifest(place, settings, items)
        kept = manifest.sound(verbose, content=check == "content")
        jobs = [Job(name, part) for name, part in items.items() if name not in kept]
        make = functools.partial(_ShardWriter, make_worker, str(place), tuple(companions))
        bar = _ItemBar(jobs, verbose)
        for event in engine.run(make, jobs):
            bar.follow(event)
            if event.kind == "done":
                job = jobs[event.job]
                _check_count(job, event.value)
                manifest.record(job.name, event.value)
    found = {name: manifest.finished[name] for name in items}
    return ShardSummary(
        made=len(jobs),
        kept=len(kept),
        count=sum(one["count"] for one in found.values()),
        failed=tuple(tuple(pair) for one in found.values() for pair in one["failed"]),
        finished=found,
    )


class _ShardWriter:
    """What a process does with a job: it lets the worker write a file, and looks at the file."""

    def __init__(self, make_worker, folder, companions):
        self._worker, self._place, self._endings = make_worker(), open_folder(folder), companions

    def __call__(self, job):
        with contextlib.ExitStack() as stack:
            # Put in place last to first: a shard that is there has its companions.
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
    """Refuses a shard that has lost items, or doubled some."""
    rows, failed = facts["count"], len(facts["failed"])
    if rows + failed != len(job.items):
        raise ValueError(
            f"{job.name}: received {rows} rows and {failed} failures, expected "
            f"{len(job.items)} together"
        )


class _ItemBar:
    """A bar of the items of all jobs, which counts none twice when work is done again."""

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
