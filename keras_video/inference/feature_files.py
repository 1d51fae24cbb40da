"""Files of features that an interrupted run leaves whole: `.npy` files, or one HDF5 file.

Both know the settings that decided the features, JSON values, and refuse others.
"""

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np

from keras_video import atomic
from keras_video.progress import progress_bar

HDF5_SUFFIXES = (".h5", ".hdf5")


def feature_store(path, settings):
    """Where features go: an `HDF5Features` for a path ending in .h5 or .hdf5, else `NpyFeatures`.

    Raises:
        ValueError: if features of other settings lie there.
    """
    kind = HDF5Features if Path(path).suffix.lower() in HDF5_SUFFIXES else NpyFeatures
    return kind(path, settings)


def output_names(paths, root):
    """`{name: path}`: what the features of videos are called.

    The name is the path from the root folder on, or from that of the file system for a video
    elsewhere; as it is spelled, wherever links on the way lead to.

    Args:
        paths: of the videos, joined with the root folder; one that comes again counts once.
        root: a folder; for a file, names are from the file system's root on.

    Raises:
        ValueError: two videos have one name.
    """
    roots = [_spelled(root), Path(root).resolve()]
    named = {}
    for path in paths:
        whole = _spelled(path)
        inside = [one for one in roots if one.is_dir() and whole.is_relative_to(one)]
        name = whole.relative_to(inside[0]) if inside else Path(*whole.parts[1:])
        before = named.setdefault(name.as_posix(), str(path))
        if _spelled(before) != whole:
            raise ValueError(
                f"received the videos {before!r} and {str(path)!r}, whose features would both be "
                f"called {name.as_posix()!r}, expected one of them"
            )
    return named


def _spelled(path):
    """The whole path, with links as they are."""
    return Path(os.path.normpath(Path(path).absolute()))


class NpyFeatures:
    """A folder with a `.npy` file for each video, and `settings.json`.

    Args:
        folder: made if it is missing.
        settings: JSON values.

    Raises:
        ValueError: if the folder has features of other settings.
    """

    def __init__(self, folder, settings):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "settings.json"
        if path.exists():
            check_settings(self.folder, json.loads(path.read_text(encoding="utf-8")), settings)
        else:
            write_whole(path, lambda file: file.write((json.dumps(settings) + "\n").encode()))

    def __contains__(self, name):
        return self._file(name).is_file()

    def write(self, name, features):
        """Keeps the features of a video under its name."""
        path = self._file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: np.save(file, features))

    def read(self, name):
        """The features of a video by its name."""
        return np.load(self._file(name))

    def finish(self, names):
        """Nothing is left to do: every file is complete."""

    def _file(self, name):
        return self.folder / f"{name}.npy"


class HDF5Features:
    """One HDF5 file with a dataset for each video.

    Until `finish`, new features lie as `.npy` files in a folder beside it: HDF5 files do not
    survive being interrupted.

    Args:
        path: the file.
        settings: JSON values, kept in the file's attribute "settings".

    Raises:
        ValueError: if the file, or what a run has begun beside it, has other settings.
    """

    def __init__(self, path, settings):
        self.path = Path(path)
        self._settings = settings
        self._packed = frozenset()
        if self.path.exists():
            with h5py.File(self.path) as file:
                check_settings(self.path, json.loads(file.attrs.get("settings", "{}")), settings)
                self._packed = frozenset(dataset_names(file))
        self._parts = NpyFeatures(self.path.with_name(f"{self.path.name}.parts"), settings)

    def __contains__(self, name):
        return name in self._packed or name in self._parts

    def write(self, name, features):
        """Keeps the features of a video under its name."""
        self._parts.write(name, features)

    def finish(self, names):
        """Writes the file anew with the features of `names`, and of all that it had."""
        fresh = [name for name in names if name in self._parts]
        if fresh:
            bar = progress_bar(len(fresh), "video")
            write_whole(self.path, lambda file: self._pack(file, fresh, bar), mode="w+b")
            self._packed |= set(fresh)
        shutil.rmtree(self._parts.folder)

    def _pack(self, file, fresh, bar):
        with h5py.File(file, "w") as packed:
            packed.attrs["settings"] = json.dumps(self._settings)
            if self._packed:
                with h5py.File(self.path) as before:
                    for name in sorted(self._packed):
                        packed.create_dataset(_key(name), data=before[_key(name)][()])
            for name in fresh:
                packed.create_dataset(_key(name), data=self._parts.read(name))
                bar.add(1)


def _key(name):
    """The name of a dataset; bytes where the name of the video is no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def dataset_names(file):
    """Names of all datasets of an HDF5 file, with their groups."""
    names = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    # h5py gives bytes where they are no UTF-8.
    return [os.fsdecode(name) for name in names]


def check_settings(place, found, expected):
    """Refuses to go on where features of other settings lie.

    Raises:
        ValueError: naming the first setting that differs.
    """
    for key in {**found, **expected}:
        if found.get(key) != expected.get(key):
            raise ValueError(
                f"{place} has features of {key}={found.get(key)!r}, now {key}="
                f"{expected.get(key)!r}: expected the same settings, or another place."
            )


def write_whole(path, write, mode="wb"):
    """Calls `write(file)` on a file that gets its name when it is complete."""
    with atomic.atomic_path(path) as part, part.open(mode) as file:
        write(file)
