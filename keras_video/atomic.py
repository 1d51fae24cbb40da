"""Atomic file writes: a file appears under its name complete, or not at all."""

import contextlib
import os
import uuid
from pathlib import Path

_PREFIX = ".part-"


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside `path` that replaces `path` if the block succeeds.

    The file is synced to disk before it is renamed, and its folder afterwards: after a power cut
    either the old file or the new one exists. After an error the old file, if any, is unchanged.

    Args:
        path: the file; its folder is created if missing.

    Yields:
        A hidden path in the same folder whose name ends like `path`, since writers choose a format
        by the suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{_PREFIX}{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        yield part
        _sync_file(part)
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        # An incomplete file must not take up space on a full disk.
        part.unlink(missing_ok=True)


def write_bytes(path, content):
    """Writes a file of bytes (or anything with the buffer protocol) atomically."""
    with atomic_path(path) as part:
        part.write_bytes(content)


def write_text(path, text, errors="strict"):
    """Writes a UTF-8 text file atomically; line endings are written unchanged.

    Args:
        path: the file.
        text: its content.
        errors: how characters that UTF-8 cannot encode are handled, see `str.encode`.
    """
    write_bytes(path, text.encode("utf-8", errors))


def remove_parts(folder):
    """Removes the partial files that killed processes left in a folder.

    Only for folders that no other process writes to.
    """
    for part in Path(folder).glob(f"{_PREFIX}*"):
        part.unlink(missing_ok=True)


def _sync_file(path):
    # Without this a power cut after the rename may leave an empty file under the final name.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_folder(folder):
    """Makes a rename in `folder` durable; Windows cannot sync folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems do not support this.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
