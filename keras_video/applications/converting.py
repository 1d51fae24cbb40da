"""Fills a mirror: rows' published weights as `.keras` files, with an index of their hashes."""

import gc
import hashlib
import re
from pathlib import Path

import filelock
import keras
from absl import logging

from keras_video.applications.configs import adopt
from keras_video.applications.origins import tell_license
from keras_video.atomic import atomic_path
from keras_video.weights.checkpoint import read_checkpoint
from keras_video.weights.dialects import dialect_of
from keras_video.weights.fetch import sha256_of
from keras_video.weights.hub import fetch_published
from keras_video.weights.loading import head_keys, load_state, variables_by_key
from keras_video.weights.mirror import Entry, read_index, write_index


def convert_row(row, folder):
    """Writes a row's model with its published weights into a mirror's folder, and lists it there.

    Args:
        row: with a published checkpoint, which is fetched.
        folder: of the mirror, which is made if missing.

    Returns:
        The `Entry`.

    Raises:
        ValueError: for a row without a published checkpoint.
        FetchError, WeightsError, CheckpointError, OSError: whatever keeps the row from it.
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
    tell_license(row)
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
    """Whether a mirror's folder has a row's file, whole, of the address that the row has now."""
    entry = entries.get(row.id)
    if entry is None or row.checkpoint is None or entry.source != row.checkpoint.url:
        return False
    path = Path(folder) / entry.file
    if not path.is_file():
        return False
    if sha256_of(path) != entry.sha256:
        logging.warning("%s is not as it was written, and is made again.", path)
        return False
    return True


def add_entry(folder, identity, entry):
    """Adds an entry to the index of a folder, which other processes may fill at the same time."""
    with filelock.FileLock(folder / ".index.lock"):
        entries = read_index(folder)
        entries[identity] = entry
        write_index(folder, entries)


def file_name(row):
    """The name of a row's file: its id, as far as names of files can have it."""
    name = re.sub(r"[^\w.-]+", "_", row.id)
    # Two ids may be alike but for what names of files cannot have.
    return f"{name[:120]}-{hashlib.sha256(row.id.encode()).hexdigest()[:6]}.keras"
