"""Packs the files of many examples into a few large ones, for disks slow on small files."""

import dataclasses
import functools
import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np

from keras_video.sharded import MANIFEST, LocalEngine, Shard, open_folder, run_shards

from ..annotations.parsing import require_files
from ..annotations.records import printable
from ..annotations.shards import FILES, FORMAT, FORMAT_VERSION, INDEX
from ..pipelines.clip_reader import label_length
from ..sampling import check_whole
from ..shard_paths import is_in_shard
from ..sources.raw_frames import FlowFrames, RawFrames
from ..sources.shard_tables import has_several_files
from ..sources.videos import Images, Videos
from .shard_files import SHARDS
from .shard_worker import Example, Resized, ShardWorker

# Default number of examples per shard: about a gigabyte of one-megabyte clips.
EXAMPLES_OF_A_SHARD = 1000


def pack_records(
    records,
    folder,
    source=None,
    *,
    container="tfrecord",
    name="examples",
    shards=None,
    seed=0,
    class_names=None,
    classes=None,
    resized=None,
    on_error="raise",
    engine=None,
    workers=None,
    show_progress=True,
):
    """Packs examples into shards, with an index for each and a manifest for all.

    Training reads them like files: pass the folder, or its `manifest.json`, wherever an annotation
    file is expected; the batches are bit-identical. A run that was stopped or killed resumes when
    it is started again. The bytes of a shard depend only on the records and the settings.

    Args:
        records: sequence of `Record`.
        folder: where the shards are written.
        source: where the frames come from; None means `Videos()`.
        container: "tfrecord", or "tar" for WebDataset files.
        name: prefix of the file names: `name-00000-of-00016.tar`.
        shards: number of files; None writes one per 1000 examples.
        seed: the records are shuffled before packing; None keeps their order.
        class_names: a name for each class, for the manifest.
        classes: number of classes that labels are checked against; by default the number of names.
        resized: a `Resized`, with which videos are re-encoded; None stores files unchanged.
        on_error: "raise" for an example whose files cannot be read, or "skip" to leave it out.
        engine: an engine of `keras_video.sharded`; None means threads of this process.
        workers: number of threads; None uses one per processor.
        show_progress: whether to draw a progress bar.

    Returns:
        A `keras_video.sharded.ShardSummary`, whose `failed` are the examples that were left out.

    Raises:
        FileNotFoundError: files do not exist, naming the first with its line.
        DecodeError: files cannot be read, naming the first with its line.
        ValueError: no records, settings out of range or without effect, or a folder that
            holds shards of another list or other settings, naming the difference.
    """
    records = list(records)
    source = Videos() if source is None else source
    _check(records, source, container, name, resized, on_error)
    if seed is not None:
        check_whole("seed", seed, 0)
    classes = len(class_names) if class_names and classes is None else classes
    length = label_length(records, classes, None)
    if on_error == "raise" and isinstance(source, Videos | Images | RawFrames | FlowFrames):
        require_files(records)
    settings = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "container": container,
        "list": _name(records[0].file),
        "source": repr(source),
        "resized": None if resized is None else dataclasses.asdict(resized),
        "seed": seed,
        "label_length": length,
        "class_names": None if class_names is None else list(class_names),
    }
    companions = (INDEX, FILES) if has_several_files(source) else (INDEX,)
    summary = run_shards(
        functools.partial(ShardWorker, source, container, resized, on_error),
        plan_shards(records, name, container, shards, seed),
        folder,
        settings=settings,
        engine=LocalEngine(workers or _threads()) if engine is None else engine,
        companions=companions,
        # A full check would read all data again; `verify_shards` does that on request.
        check="size",
        verbose=int(show_progress),
    )
    _complete(folder, settings, summary)
    return summary


def plan_shards(records, name, container, shards=None, seed=0):
    """The `Shard`s of records: in order or shuffled, in parts whose sizes differ by at most one.

    Args:
        records, name, container, shards, seed: see `pack_records`.

    Raises:
        ValueError: more shards than records, or none.
    """
    count = math.ceil(len(records) / EXAMPLES_OF_A_SHARD) if shards is None else shards
    if not records or not 1 <= count <= len(records):
        raise ValueError(f"received {len(records)} records and shards={shards}, expected 1 or more")
    order = np.arange(len(records))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(records))
    return [
        Shard(
            f"{name}-{number:05}-of-{count:05}.{container}",
            tuple(Example(place, _named(records[place])) for place in part.tolist()),
        )
        for number, part in enumerate(np.array_split(order, count))
    ]


def _named(record):
    """A record that stores only the file name of its list, wherever the list is."""
    return dataclasses.replace(record, file=_name(record.file), readings=(), problem=None)


def _name(file):
    return Path(file).name


def _threads():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check(records, source, container, name, resized, on_error):
    """Rejects settings of `pack_records` that are out of range or have no effect."""
    if not records:
        raise ValueError("received no records, expected at least one")
    if container not in SHARDS:
        raise ValueError(f"received container={container!r}, expected one of {', '.join(SHARDS)}")
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"received name={name!r}, expected the beginning of a file's name")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"received on_error={on_error!r}, expected 'raise' or 'skip'")
    if resized is not None and not (isinstance(source, Videos) and isinstance(resized, Resized)):
        raise ValueError(
            f"received resized={resized} with source={source}, expected a Resized and videos, or "
            "None"
        )
    moved = [record for record in records if is_in_shard(record.path)]
    if moved:
        raise ValueError(
            f"{printable(moved[0].path)} is in a shard already, expected the list of the files"
        )


def _complete(folder, settings, summary):
    """Adds the final totals to the manifest."""
    place = open_folder(folder)
    with place.open(MANIFEST) as file:
        content = json.load(file)
    text = json.dumps(settings, sort_keys=True).encode()
    totals = {
        "examples": summary.count,
        "left_out": len(summary.failed),
        "bytes": sum(facts["bytes"] for facts in summary.finished.values()),
        "fingerprint": hashlib.sha256(text).hexdigest(),
    }
    if any(content.get(name) != value for name, value in totals.items()):
        content = {**content, **totals}
        place.write_bytes(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())
