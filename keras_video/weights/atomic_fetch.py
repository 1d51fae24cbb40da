"""Atomic, locked file creation: complete or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
from absl import logging

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


def create_atomically(
    target: Path, write: Callable[[Path], None], is_ready: Callable[[], bool]
) -> Path:
    """Creates the file `target` unless it exists, under a lock shared between processes.

    Args:
        target: the file. Its folder is created if missing.
        write: writes the file to the path it receives: a hidden name in the same folder that ends
            like `target`. The file is renamed to `target` when `write` returns, and removed when
            `write` fails.
        is_ready: whether `target` exists and is valid; called under the lock.

    Returns:
        `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_name(f".{target.name}.lock")) as locked:
        if locked:
            _remove_leftovers(target)
        if is_ready():
            return target
        part = target.with_name(f"{_part_prefix(target)}{uuid.uuid4().hex[:12]}-{target.name}")
        try:
            write(part)
            _flush(part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def _part_prefix(target: Path) -> str:
    return f".part-{target.name}-"


def _remove_leftovers(target: Path) -> None:
    # Only the holder of the lock writes: these files are from processes that were killed.
    prefix = _part_prefix(target)
    for entry in target.parent.iterdir():
        if entry.name.startswith(prefix) and entry.name.endswith(f"-{target.name}"):
            entry.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    # Without this a power cut after the rename may leave an empty file under the final name.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Holds the lock file `path`; yields False if the file system has no locks.

    The system releases the lock of a process that is killed. The holder removes the file before it
    releases the lock; `filelock` does not lock a deleted file, so waiting processes try again.
    """
    lock = filelock.FileLock(path)
    if not _acquire(lock):
        path.unlink(missing_ok=True)
        yield False
        return
    try:
        yield True
    finally:
        # Windows cannot remove an open file: there, releasing the lock removes it.
        with contextlib.suppress(PermissionError):
            path.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: filelock.BaseFileLock) -> bool:
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            logging.info("Waiting for another process that writes %s", Path(lock.lock_file).name)
            lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
