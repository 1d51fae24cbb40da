"""Atomic writing of files: a file appears under its name whole, or not at all."""

import contextlib
import os
import uuid
from pathlib import Path

_PREFIX = ".part-"


@contextlib.contextmanager
def atomic_path(path):
    """A path beside `path` to write a file to, which replaces `path` when all went well.

    The file is synchronized to the disk before it is renamed, and so is its folder afterwards:
    after a power cut there is the old file or the new one. After an error the old file, if there
    was one, is as it was.

    Args:
        path: the file; its folder is made if missing.

    Yields:
        A hidden path in the same folder whose name ends like `path`, as writers choose a format by
        the suffix.
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
        # What a full disk lacks most is room: an incomplete file is not kept.
        part.unlink(missing_ok=True)


def write_bytes(path, content):
    """Writes a file of bytes (or anything with the buffer protocol) atomically."""
    with atomic_path(path) as part:
        part.write_bytes(content)


def write_text(path, text, errors="strict"):
    """Writes a text file in UTF-8 atomically; line ends are written as they are.

    Args:
        path: the file.
        text: its content.
        errors: what becomes of characters that UTF-8 lacks, see `str.encode`.
    """
    write_bytes(path, text.encode("utf-8", errors))


def remove_parts(folder):
    """Removes what processes that were killed while they wrote have left in a folder.

    Only for a folder that no other process writes to.
    """
    for part in Path(folder).glob(f"{_PREFIX}*"):
        part.unlink(missing_ok=True)


def _sync_file(path):
    # Without this a power cut after the rename may leave an empty file under the final name.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_folder(folder):
    """Makes a rename in `folder` last; Windows has no such call for folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse this.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
