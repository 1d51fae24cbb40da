"""Command-line flags for long lists: sharded outputs, resumable runs, several processes."""

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
# A line with a label.
_LABELED = re.compile(r"\S\s+[+-]?[0-9]+$")


def define_engine_flags(flags, engines=("local", "ray")):
    """Defines `--engine` and the flags of Ray."""
    flags.group("Long lists")
    text = {"local": "local: in shards, in this process", "ray": "ray: in several processes"}
    flags.choice("engine", None, engines, "; ".join(text[name] for name in engines))
    flags.integer("workers", 2, "ray: number of processes, each with its own copy of the model", 1)
    flags.string(
        "ray_address", None, "ray: address of a cluster, such as auto; starts one if not given"
    )


def define_shard_flags(flags):
    """Defines the flags for the files that `--engine` writes."""
    flags.integer("shard_size", 500, "with --engine: videos per file", 1)
    flags.choice("format", "npz", FORMATS, "with --engine: file format")


def engine_of(options):
    """The engine that the flags select, or `None`.

    Raises:
        ImportError: if Ray is selected but not installed.
        ValueError: for a flag that has no effect.
    """
    ineffective = (*_RAY, "shard_size", "format")
    if options.engine is not None:
        ineffective = _RAY if options.engine == "local" else ()
    reason = "without --engine" if options.engine is None else f"with --engine={options.engine}"
    reject_flags(options, ineffective, reason)
    if options.engine == "ray":
        return RayEngine(workers=options.workers, address=options.ray_address)
    return LocalEngine() if options.engine == "local" else None


def reject_flags(options, names, reason):
    """Raises a ValueError if one of the flags is given."""
    for name in names:
        if name in options.given:
            value = getattr(options, name)
            raise ValueError(f"--{name}={value}: has no effect {reason}.")


def listed_videos(arguments, listing=None, root=None, on_error="skip"):
    """The videos of a list, or of files and folders, each with its labels if they are known.

    Args:
        arguments: files, folders or their URLs; or, in place of `listing`, a single list, whose
            name ends in .txt or .json.
        listing: an annotation file or its URL, or a folder of class folders. The lines of a text
            file may be paths without labels.
        root: folder or URL that the paths of the list are relative to.
        on_error: "raise" checks first that all local files exist.

    Returns:
        List of `ListedVideo`.

    Raises:
        ValueError: if neither a list nor videos are given, or both; for a `root` without effect.
        FileNotFoundError: for a missing list, folder or video.
    """
    if listing is None and len(arguments) == 1 and Path(arguments[0]).suffix.lower() in _LISTS:
        arguments, listing = (), arguments[0]
    if bool(arguments) == bool(listing):
        raise ValueError(f"received {arguments} and --list={listing}, expected one of them.")
    if listing:
        records = _records(listing, root)
        if on_error == "raise":
            require_files([record for record in records if "://" not in record.path])
        return [ListedVideo(record.path, record.labels) for record in records]
    if root is not None:
        raise ValueError(f"--data_root={root}: has no effect without a list.")
    return [ListedVideo(path) for argument in arguments for path in _videos_at(argument)]


def _records(listing, root):
    with fetched([listing]) as (local_list,):
        if isinstance(local_list, Exception):
            raise local_list
        if Path(local_list).is_dir():
            if root is not None:
                raise ValueError(f"--data_root={root}: has no effect, as {listing} is a folder.")
            return data.read_annotations(
                local_list, local_list, annotation_format=data.ClassFolders()
            )
        here = None if root is None or is_remote(root) else local_path(root)
        if _has_labels(local_list):
            records = data.read_annotations(local_list, here)
        else:
            records = [
                data.Record(joined(here, line), None, line=number, listed=line)
                for number, line in numbered_lines(local_list)
            ]
    if not records:
        raise ValueError(f"{listing}: received a list without videos, expected at least one")
    return [_as_spelled(record, listing, root, here) for record in records]


def _has_labels(listing):
    """Whether a list is JSON, or any of its lines ends in a separate integer."""
    if is_json(listing):
        return True
    return any(_LABELED.search(line) for _, line in numbered_lines(listing))


def _as_spelled(record, listing, root, here):
    """The record with a path that may be a URL, and with the list as the user named it."""
    remote = "://" in record.listed or (root is not None and here is None)
    path = joined(root, record.listed) if remote else record.path
    return replace(record, path=path, file=str(listing))


def _videos_at(argument):
    """The videos at a file, folder or URL."""
    if not is_remote(argument):
        paths = [str(path) for path in data.video_files(local_path(argument))]
    else:
        paths = remote_files(argument)
        if paths != [argument]:
            paths = [path for path in paths if path.lower().endswith(tuple(ALL_VIDEO_SUFFIXES))]
    if not paths:
        raise ValueError(f"received {argument}, which contains no videos.")
    return paths


def report_shards(summary, folder, what):
    """Prints a summary of a folder of shards; returns the exit status of the command."""
    print(
        f"\n{what} of {summary.count} videos are in {folder}: {len(summary.finished)} shards, "
        f"{summary.reused} of them already done."
    )
    for _, reason in summary.failed:
        logging.error("%s", reason)
    count = summary.count + len(summary.failed)
    failed = len(summary.failed)
    return failed and f"{failed} of {count} videos could not be read."
