"""The manifest of a folder of shards: its shards, and the settings and items they come from."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

from absl import logging

from keras_video.progress import progress_bar
from keras_video.sharded.folders import checksum, open_folder

MANIFEST = "manifest.json"
_VERSION = 1
# Shards that are checked concurrently, and the number from which a progress bar is shown.
_READERS, _MANY = 4, 50


def read_manifest(folder):
    """The content of a folder's manifest.

    Returns:
        A dictionary: `settings`, JSON values that determine the content; `plan`, a hash of the
        items by shard name; `finished`, `{"count", "failed", "bytes", "sha256", ...}` by name of
        the finished shards, where "failed" has `[item, reason]` for every item that is not among
        the "count" rows.

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
        content = json.loads(text)
        if content["version"] != _VERSION:
            raise ValueError(f"version {content['version']}")
        return {name: dict(content[name]) for name in ("settings", "plan", "finished")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{place}/{MANIFEST}: expected a manifest, received {error}") from error


class Manifest:
    """The manifest of a folder that is being filled; rewritten after every shard.

    Args:
        place: a folder, see `open_folder`.
        settings: JSON values that determine the content of the shards.
        items: `{file name: items}` of all shards.

    Raises:
        ValueError: if the folder has shards of other settings or items, naming what differs.
    """

    def __init__(self, place, settings, items):
        self._place = place
        # As JSON reads them back.
        self._settings = json.loads(json.dumps(settings))
        self._plan = {name: _digest(part) for name, part in items.items()}
        self.finished = {}
        if place.size(MANIFEST) is not None:
            stored = read_manifest(place)
            _check_settings(place, stored["settings"], self._settings)
            _check_plan(place, stored["plan"], self._plan)
            self.finished = stored["finished"]
        else:
            self._write()

    def intact(self, verbose=1, content=True):
        """Names of the finished shards whose files are intact.

        The others are logged, and no longer count as finished.

        Args:
            verbose: 0 shows no progress.
            content: whether to check the files' contents; otherwise only their sizes.
        """
        names = list(self.finished)
        bar = progress_bar(len(names), "shard", verbose) if len(names) >= _MANY else None
        with ThreadPoolExecutor(_READERS) as pool:
            problems = pool.map(lambda name: self._problem(name, content), names)
            for name, problem in zip(names, problems, strict=True):
                if problem:
                    logging.warning("%s/%s %s: it is written again.", self._place, name, problem)
                    del self.finished[name]
                if bar:
                    bar.add(1)
        return frozenset(self.finished)

    def record(self, name, facts):
        """Records that a shard is finished.

        Raises:
            FileNotFoundError: if its file is not visible to this process.
        """
        for file, written in _files(name, facts):
            size = self._place.size(file)
            if size != written["bytes"]:
                raise FileNotFoundError(
                    f"{self._place}/{file}: a worker wrote {written['bytes']} bytes, this process "
                    f"finds {'none' if size is None else size}: expected a folder shared by all "
                    "machines, or an address such as s3://bucket/folder"
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
        # In list order, not in the order of completion.
        finished = {name: self.finished[name] for name in self._plan if name in self.finished}
        content = {
            "version": _VERSION,
            "settings": self._settings,
            "plan": self._plan,
            "finished": finished,
        }
        self._place.write_bytes(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def _files(name, facts):
    """A shard's file and its companions, each with its size and hash."""
    companions = facts.get("companions", {})
    return [(name, facts), *((name + ending, written) for ending, written in companions.items())]


def file_problem(place, name, written, content=True):
    """What is wrong with a file of a folder, such as "is missing"; or `None`.

    Args:
        place: the folder, see `open_folder`.
        name: of the file.
        written: its "bytes" and "sha256".
        content: whether to check its content; otherwise only its size.
    """
    size = place.size(name)
    if size is None:
        return "is missing"
    if size != written["bytes"]:
        return f"is damaged ({size} bytes instead of {written['bytes']})"
    if not content:
        return None
    with place.open(name) as file:
        return None if checksum(file) == written["sha256"] else "is damaged (other content)"


def _digest(items):
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr(item).encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()


def _check_settings(place, stored, settings):
    names = [name for name in {**stored, **settings} if stored.get(name) != settings.get(name)]
    if names:
        before = " ".join(f"{name}={stored.get(name)!r}" for name in names)
        now = " ".join(f"{name}={settings.get(name)!r}" for name in names)
        raise ValueError(
            f"{place} has shards of {before}, now {now}: expected the same settings, or another "
            "folder"
        )


def _check_plan(place, known, plan):
    if len(known) != len(plan) or set(known) != set(plan):
        raise ValueError(
            f"{place} has {len(known)} shards in its plan, received {len(plan)}: expected the "
            "same list, or another folder"
        )
    for name, digest in plan.items():
        if known[name] != digest:
            raise ValueError(
                f"{place}: the items of the list have changed, {name} is the first shard that "
                "differs: expected the same list, or another folder"
            )
