"""What a folder of shards holds, and of what it was made."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

from absl import logging

from keras_video.progress import progress_bar
from keras_video.sharded.folders import checksum, open_folder

MANIFEST = "manifest.json"
_VERSION = 1
# Shards that are checked at the same time, and from how many on a bar is shown.
_READERS, _MANY = 4, 50


def read_manifest(folder):
    """The content of a folder's manifest.

    Returns:
        A dictionary: `settings`, JSON values that decided the content; `plan`, for the name of
        every shard a hash of its items; `finished`, for the names of those that are made
        `{"count", "failed", "bytes", "sha256", ...}`, where "failed" has `[item, reason]` for every
        item that is not among the "count" rows.

    Raises:
        FileNotFoundError: if the folder has none.
        ValueError: if it is damaged.
    """
    place = open_folder(folder)
    if place.size(MANIFEST) is None:
        raise FileNotFoundError(f"{place}: expected a folder of shards, it has no {MANIFEST}")
    with place.open(MANIFEST) as file:
        text = file.read()
    try:
        found = json.loads(text)
        if found["version"] != _VERSION:
            raise ValueError(f"version {found['version']}")
        return {name: dict(found[name]) for name in ("settings", "plan", "finished")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{place}/{MANIFEST}: expected a manifest, received {error}") from error


class Manifest:
    """The manifest of a folder that is being filled; written anew with every shard.

    Args:
        place: a folder, see `open_folder`.
        settings: JSON values that decide the content of the shards.
        items: `{name: items}` of all shards, by the names of their files.

    Raises:
        ValueError: if the folder has shards of other settings or items, naming what differs.
    """

    def __init__(self, place, settings, items):
        self._place = place
        # As they are read again.
        self._settings = json.loads(json.dumps(settings))
        self._plan = {name: _digest(one) for name, one in items.items()}
        self.finished = {}
        if place.size(MANIFEST) is not None:
            known = read_manifest(place)
            _check_settings(place, known["settings"], self._settings)
            _check_plan(place, known["plan"], self._plan)
            self.finished = known["finished"]
        else:
            self._write()

    def sound(self, verbose=1, content=True):
        """Names of the finished shards whose files are as they were written; tells of the others.

        These others are no longer finished.

        Args:
            verbose: 0 shows no progress.
            content: whether to read the files; otherwise their sizes tell.
        """
        names = list(self.finished)
        bar = progress_bar(len(names), "shard", verbose) if len(names) >= _MANY else None
        with ThreadPoolExecutor(_READERS) as pool:
            problems = pool.map(lambda name: self._problem(name, content), names)
            for name, problem in zip(names, problems, strict=True):
                if problem:
                    logging.warning("%s/%s %s: it is made again.", self._place, name, problem)
                    del self.finished[name]
                if bar:
                    bar.add(1)
        return frozenset(self.finished)

    def record(self, name, facts):
        """Notes that a shard is finished.

        Raises:
            FileNotFoundError: if its file is not where this process sees the folder.
        """
        for file, written in _files(name, facts):
            size = self._place.size(file)
            if size != written["bytes"]:
                raise FileNotFoundError(
                    f"{self._place}/{file}: a worker wrote {written['bytes']} bytes, here are "
                    f"{'none' if size is None else size}: expected a folder that all machines "
                    "share, or an address such as s3://bucket/folder"
                )
        self.finished[name] = facts
        self._write()

    def _problem(self, name, content):
        for file, written in _files(name, self.finished[name]):
            problem = file_problem(self._place, file, written, content)
            if problem:
                return problem if file == name else f"has a file {file} that {problem}"
        return None

    def _write(self):
        # In the order of the list, whichever was ready first.
        finished = {name: self.finished[name] for name in self._plan if name in self.finished}
        content = {
            "version": _VERSION,
            "settings": self._settings,
            "plan": self._plan,
            "finished": finished,
        }
        self._place.write_bytes(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def _files(name, facts):
    """A shard's file and its companions, each with what was written."""
    companions = facts.get("companions", {})
    return [(name, facts), *((name + ending, one) for ending, one in companions.items())]


def file_problem(place, name, written, content=True):
    """What is wrong with a file of a folder, such as "is gone"; or None.

    Args:
        place: the folder, see `open_folder`.
        name: of the file.
        written: its "bytes" and "sha256".
        content: whether to read it; otherwise its size tells.
    """
    size = place.size(name)
    if size is None:
        return "is gone"
    if size != written["bytes"]:
        return f"is damaged ({size} bytes in place of {written['bytes']})"
    if not content:
        return None
    with place.open(name) as file:
        return None if checksum(file) == written["sha256"] else "is damaged (other content)"


def _digest(items):
    found = hashlib.sha256()
    for item in items:
        found.update(repr(item).encode("utf-8", "backslashreplace") + b"\n")
    return found.hexdigest()


def _check_settings(place, known, settings):
    names = [name for name in {**known, **settings} if known.get(name) != settings.get(name)]
    if names:
        before = " ".join(f"{name}={known.get(name)!r}" for name in names)
        now = " ".join(f"{name}={settings.get(name)!r}" for name in names)
        raise ValueError(
            f"{place} has shards of {before}, now {now}: expected the same settings, or another "
            "folder"
        )


def _check_plan(place, known, plan):
    if len(known) != len(plan) or set(known) != set(plan):
        raise ValueError(
            f"{place} has {len(known)} shards in its plan, now there are {len(plan)}: expected the "
            "same list, or another folder"
        )
    for name, digest in plan.items():
        if known[name] != digest:
            raise ValueError(
                f"{place}: the list has other items now, {name} is the first shard that differs: "
                "expected the same list, or another folder"
            )
