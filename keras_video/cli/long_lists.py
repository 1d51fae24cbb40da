"""The flags of lists that are too long for one run, one file or one process."""

import re
from dataclasses import replace
from pathlib import Path

from absl import logging

from keras_video import data
from keras_video.data.annotations.parsing import require_files
from keras_video.data.annotations.records import is_json, numbered_lines
from keras_video.data.sources.videos import ALL_VIDEO_SUFFIXES
from keras_video.inference.shard_files import FORMATS
from keras_video.inference.shard_workers import ListedVideo
from keras_video.sharded import LocalEngine, RayEngine, fetched, is_remote
from keras_video.sharded.remote import joined, local_path, remote_files

_LISTS = (".txt", ".json")
_RAY = ("workers", "ray_address")
# A line of a list with labels.
_LABELED = re.compile(r"\S\s+[+-]?[0-9]+$")


def define_engine_flags(flags, engines=("local", "ray")):
    """Defines `--engine`, and what only Ray takes."""
    flags.group("Long lists")
    text = {"local": "local: in shards, in this process", "ray": "ray: on several processes"}
    flags.choice("engine", None, engines, "; ".join(text[one] for one in engines))
    flags.integer("workers", 2, "ray: processes, each with a model of its own", 1)
    flags.string("ray_address", None, "ray: of a cluster, such as auto; one is started if not")


def define_shard_flags(flags):
    """Defines what `--engine` writes."""
    flags.integer("shard_size", 500, "with --engine: videos of a file", 1)
    flags.choice("format", "npz", FORMATS, "with --engine: of the files")


def engine_of(options):
    """The engine that the flags name, or `None`.

    Raises:
        ImportError: if Ray is named and not installed.
        ValueError: for a flag that has no effect.
    """
    refuse = (*_RAY, "shard_size", "format")
    if options.engine is not None:
        refuse = _RAY if options.engine == "local" else ()
    expected = "without --engine" if options.engine is None else f"with --engine={options.engine}"
    refuse_flags(options, refuse, expected)
    if options.engine == "ray":
        return RayEngine(workers=options.workers, address=options.ray_address)
    return LocalEngine() if options.engine == "local" else None


def refuse_flags(options, names, reason):
    """Raises a ValueError if one of the flags is given."""
    for name in names:
        if name in options.given:
            value = getattr(options, name)
            raise ValueError(f"--{name}={value}: has no effect {reason}.")


def listed_videos(arguments, listing=None, root=None, on_error="skip"):
    """The videos of a list, or of files and folders, each with its labels where they are known.

    Args:
        arguments: files, folders and addresses of these; or, in place of `listing`, one list, which
            ends in .txt or .json.
        listing: an annotation file, or an address of one, or a folder of class folders. The lines
            of a text may all be paths alone.
        root: folder or address that the paths of the list start from.
        on_error: "raise" has all files of this machine looked for first.

    Returns:
        List of `ListedVideo`.

    Raises:
        ValueError: unless there is a list or videos, and not both; for a `root` without effect.
        FileNotFoundError: for a missing list, folder or video.
    """
    if listing is None and len(arguments) == 1 and Path(arguments[0]).suffix.lower() in _LISTS:
        arguments, listing = (), arguments[0]
    if bool(arguments) == bool(listing):
        raise ValueError(f"received {arguments} and --list={listing}, expected one of them.")
    if listing:
        records = _records(listing, root)
        if on_error == "raise":
            require_files([one for one in records if "://" not in one.path])
        return [ListedVideo(one.path, one.labels) for one in records]
    if root is not None:
        raise ValueError(f"--data_root={root}: has no effect without a list.")
    return [ListedVideo(path) for argument in arguments for path in _videos_at(argument)]


def _records(listing, root):
    with fetched([listing]) as (place,):
        if isinstance(place, Exception):
            raise place
        if Path(place).is_dir():
            if root is not None:
                raise ValueError(f"--data_root={root}: has no effect, as {listing} is a folder.")
            return data.read_annotations(place, place, annotation_format=data.ClassFolders())
        here = None if root is None or is_remote(root) else local_path(root)
        if _has_labels(place):
            records = data.read_annotations(place, here)
        else:
            records = [
                data.Record(joined(here, line), None, line=number, listed=line)
                for number, line in numbered_lines(place)
            ]
    if not records:
        raise ValueError(f"{listing}: received a list without videos, expected at least one")
    return [_as_spelled(record, listing, root, here) for record in records]


def _has_labels(listing):
    """Whether a list is JSON, or any of its lines ends in a number of its own."""
    if is_json(listing):
        return True
    return any(_LABELED.search(line) for _, line in numbered_lines(listing))


def _as_spelled(record, listing, root, here):
    """A record whose path may be an address, and whose list is the one that was named."""
    elsewhere = "://" in record.listed or (root is not None and here is None)
    path = joined(root, record.listed) if elsewhere else record.path
    return replace(record, path=path, file=str(listing))


def _videos_at(argument):
    """The videos of a file, folder or address."""
    if not is_remote(argument):
        found = [str(path) for path in data.video_files(local_path(argument))]
    else:
        found = remote_files(argument)
        if found != [argument]:
            found = [one for one in found if one.lower().endswith(tuple(ALL_VIDEO_SUFFIXES))]
    if not found:
        raise ValueError(f"received {argument}, which has no videos.")
    return found


def report_shards(summary, folder, what):
    """Prints what a folder of shards holds; the exit status of the command."""
    print(
        f"\n{what} of {summary.count} videos are in {folder}: {len(summary.finished)} shards, "
        f"{summary.kept} of them done before."
    )
    for _, reason in summary.failed:
        logging.error("%s", reason)
    count = summary.count + len(summary.failed)
    failed = len(summary.failed)
    return failed and f"{failed} of {count} videos could not be read."
