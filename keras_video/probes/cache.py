"""On-disk cache of video features, keyed by what they were computed from."""

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
    """A folder with one file per video, named by the hash of the video's content.

    Each network, set of weights and protocol has its own sub-folder, and a video that is renamed
    or copied is not computed again. Files are written atomically; a damaged one is logged and
    counts as missing.

    Args:
        folder: created if missing.
        facts: JSON values that determine the features besides the video, see `ProbeBody.facts`.
    """

    def __init__(self, folder, facts):
        text = json.dumps(facts, sort_keys=True)
        self.folder = Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:20]
        settings = self.folder / "settings.json"
        if not settings.exists():
            atomic.write_text(settings, json.dumps(facts, indent=2, sort_keys=True) + "\n")

    def path(self, key):
        """The file of a video's features, by its `content_key`."""
        return self.folder / key[:2] / f"{key}.npz"

    def read(self, key):
        """The features of a video, or `None` if they are missing or damaged."""
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
        """Stores the features of a video."""
        with atomic.atomic_path(self.path(key)) as part:
            np.savez(part, **{_FEATURES: features})


def content_key(record, source):
    """The key of a record's features: SHA-256 of its files' contents.

    Args:
        record: a `keras_video.data.Record`; its frame numbers are part of the key, its labels and
            path are not.
        source: the source that reads its frames.

    Raises:
        FileNotFoundError: if there is no such file or folder.
    """
    digest = hashlib.sha256(repr(source).encode())
    digest.update(repr((record.total_frames, record.offset, record.parts)).encode())
    path = Path(record.path)
    if is_in_shard(record.path):
        digest.update(read_bytes(record.path))
    elif path.is_dir():
        for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
            digest.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0")
            _add_file(digest, file)
    elif path.is_file():
        _add_file(digest, path)
    else:
        raise FileNotFoundError(
            f"{printable(path)} ({record.source}): expected a video or a folder of frames; there "
            "is none"
        )
    return digest.hexdigest()


def _add_file(digest, path):
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
