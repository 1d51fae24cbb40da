"""Features of videos on disk, found again by what they were computed from."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
from absl import logging

from keras_video import atomic
from keras_video.data.annotations.records import printable
from keras_video.data.shard_paths import is_in_shard, read_bytes

_FEATURES = "features"
_BLOCK = 1 << 20


class FeatureCache:
    """A folder with a file for each video, named by the content of the video.

    Features of other networks, weights or protocols lie in sub-folders of their own, and a video
    that is renamed or copied is not computed again. Every file is written aside and renamed; a
    damaged one counts as absent, which is logged.

    Args:
        folder: made if it is missing.
        facts: JSON values that decide the features besides the video, see `ProbeBody.facts`.
    """

    def __init__(self, folder, facts):
        text = json.dumps(facts, sort_keys=True)
        self.folder = Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:20]
        described = self.folder / "settings.json"
        if not described.exists():
            atomic.write_text(described, json.dumps(facts, indent=2, sort_keys=True) + "\n")

    def path(self, key):
        """The file of a video's features, by its `content_key`."""
        return self.folder / key[:2] / f"{key}.npz"

    def read(self, key):
        """The features of a video, or `None` where they are not there, or damaged."""
        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as file:
                return file[_FEATURES]
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
            logging.warning("%s is damaged (%s): these features are computed again.", path, error)
            return None

    def write(self, key, features):
        """Keeps the features of a video."""
        with atomic.atomic_path(self.path(key)) as part:
            np.savez(part, **{_FEATURES: features})


def content_key(record, source):
    """What tells the example of a record from others: SHA-256 of its files' bytes.

    Args:
        record: a `keras_video.data.Record`; what it says of its frames counts too, its labels and
            its path do not.
        source: where its frames come from.

    Raises:
        FileNotFoundError: if there is no such file or folder.
    """
    found = hashlib.sha256(repr(source).encode())
    found.update(repr((record.total_frames, record.offset, record.parts)).encode())
    path = Path(record.path)
    if is_in_shard(record.path):
        found.update(read_bytes(record.path))
    elif path.is_dir():
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            found.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0")
            _add_file(found, file)
    elif path.is_file():
        _add_file(found, path)
    else:
        raise FileNotFoundError(
            f"{printable(path)} ({record.source}): expected a video or a folder of frames; there "
            "is none"
        )
    return found.hexdigest()


def _add_file(found, path):
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
