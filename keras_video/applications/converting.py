"""Converts the published weights of rows to `.keras` files in a mirror, indexed by hash."""

import gc
import hashlib
import re
from pathlib import Path

import filelock
import keras
from absl import logging

from keras_video.applications.configs import adopt
from keras_video.applications.origins import warn_license
from keras_video.atomic import atomic_path
from keras_video.weights.checkpoint import read_checkpoint
from keras_video.weights.dialects import dialect_of
from keras_video.weights.fetch import sha256_of
from keras_video.weights.hub import fetch_published
from keras_video.weights.loading import head_keys, load_state, variables_by_key
from keras_video.weights.mirror import Entry, read_index, write_index


def convert_row(row, folder):
    """Saves a row's model with its published weights to a mirror folder, and adds it to the index.

    Args:
        row: a row with a published checkpoint, which is downloaded.
        folder: folder of the mirror, created if missing.

    Returns:
        The `Entry` of the index.

    Raises:
        ValueError: for a row without a published checkpoint.
        FetchError, WeightsError, CheckpointError, OSError: if the row cannot be converted.
    """
    if row.checkpoint is None:
        raise ValueError(f"{row.id} ({row.name}) has no published checkpoint.")
    folder = Path(folder)
    checkpoint = row.checkpoint
    path = fetch_published(checkpoint.url, checkpoint.sha256_prefix)
    state = read_checkpoint(path)
    dialect = dialect_of(state, row.dialect)
    model = row.model(weights=None)
    top = row.classes is not None
    load_state(model, state, head=top, dialect=dialect)
    adopt(model, path, names=top)
    warn_license(row)
    target = folder / file_name(row)
    with atomic_path(target) as part:
        model.save(part)
    known = variables_by_key(model)
    head = sorted(key for key in head_keys(dialect.prepare(state), dialect) if key in known)
    entry = Entry(target.name, sha256_of(target), checkpoint.url, tuple(head), row.license)
    add_entry(folder, row.id, entry)
    del model, state
    keras.backend.clear_session(free_memory=False)
    gc.collect()
    return entry


def is_converted(row, entries, folder):
    """Whether a mirror folder has an intact file of a row, from the row's current address."""
    entry = entries.get(row.id)
    if entry is None or row.checkpoint is None or entry.source != row.checkpoint.url:
        return False
    path = Path(folder) / entry.file
    if not path.is_file():
        return False
    if sha256_of(path) != entry.sha256:
        logging.warning("%s does not match its SHA-256 and is converted again.", path)
        return False
    return True


def add_entry(folder, identity, entry):
    """Adds an entry to the index of a folder that other processes may fill at the same time."""
    with filelock.FileLock(folder / ".index.lock"):
        entries = read_index(folder)
        entries[identity] = entry
        write_index(folder, entries)


def file_name(row):
    """The file name of a row: its id without the characters that file names cannot have."""
    name = re.sub(r"[^\w.-]+", "_", row.id)
    # Two ids may differ only in characters that file names cannot have.
    return f"{name[:120]}-{hashlib.sha256(row.id.encode()).hexdigest()[:6]}.keras"
