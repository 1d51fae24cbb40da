"""Feature files that survive an interrupted run: `.npy` files, or one HDF5 file.

Both store the settings that determined the features, JSON values, and reject others.
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
    """The store for a path: `HDF5Features` if it ends in .h5 or .hdf5, otherwise `NpyFeatures`.

    Raises:
        ValueError: if it has features of other settings.
    """
    kind = HDF5Features if Path(path).suffix.lower() in HDF5_SUFFIXES else NpyFeatures
    return kind(path, settings)


def output_names(paths, root):
    """Names for the features of videos, `{name: path}`.

    A name is the path relative to the root folder, or to the root of the file system for a video
    outside of it; as spelled, without resolving links.

    Args:
        paths: of the videos, joined with the root folder; duplicates count once.
        root: a folder; for a file, names are relative to the file system's root.

    Raises:
        ValueError: if two videos have the same name.
    """
    roots = [_spelled(root), Path(root).resolve()]
    names = {}
    for path in paths:
        whole = _spelled(path)
        inside = [folder for folder in roots if folder.is_dir() and whole.is_relative_to(folder)]
        name = whole.relative_to(inside[0]) if inside else Path(*whole.parts[1:])
        before = names.setdefault(name.as_posix(), str(path))
        if _spelled(before) != whole:
            raise ValueError(
                f"received the videos {before!r} and {str(path)!r}, whose features would both be "
                f"called {name.as_posix()!r}, expected one of them"
            )
    return names


def _spelled(path):
    """The absolute path, with links unresolved."""
    return Path(os.path.normpath(Path(path).absolute()))


class NpyFeatures:
    """A folder with a `.npy` file for each video, and `settings.json`.

    Args:
        folder: created if it is missing.
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
            write_atomically(path, lambda file: file.write((json.dumps(settings) + "\n").encode()))

    def __contains__(self, name):
        return self._file(name).is_file()

    def write(self, name, features):
        """Stores the features of a video under its name."""
        path = self._file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: np.save(file, features))

    def read(self, name):
        """The features of a video by its name."""
        return np.load(self._file(name))

    def finish(self, names):
        """Does nothing: every file is complete."""

    def _file(self, name):
        return self.folder / f"{name}.npy"


class HDF5Features:
    """One HDF5 file with a dataset for each video.

    Until `finish`, new features are `.npy` files in a folder next to it: HDF5 files do not survive
    an interruption.

    Args:
        path: the file.
        settings: JSON values, stored in the file's attribute "settings".

    Raises:
        ValueError: if the file, or an unfinished run next to it, has other settings.
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
        """Stores the features of a video under its name."""
        self._parts.write(name, features)

    def finish(self, names):
        """Rewrites the file with its previous features and those of `names`."""
        fresh = [name for name in names if name in self._parts]
        if fresh:
            bar = progress_bar(len(fresh), "video")
            write_atomically(self.path, lambda file: self._pack(file, fresh, bar), mode="w+b")
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
    """The name of a dataset; bytes if the name of the video is not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def dataset_names(file):
    """Names of all datasets of an HDF5 file, including their groups."""
    names = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    # h5py returns bytes for names that are not UTF-8.
    return [os.fsdecode(name) for name in names]


def check_settings(path, stored, expected):
    """Raises if stored features have other settings.

    Raises:
        ValueError: naming the first setting that differs.
    """
    for key in {**stored, **expected}:
        if stored.get(key) != expected.get(key):
            raise ValueError(
                f"{path} has features of {key}={stored.get(key)!r}, now {key}="
                f"{expected.get(key)!r}: expected the same settings, or another path."
            )


def write_atomically(path, write, mode="wb"):
    """Calls `write(file)` on a file that appears under its name only when complete."""
    with atomic.atomic_path(path) as part, part.open(mode) as file:
        write(file)
