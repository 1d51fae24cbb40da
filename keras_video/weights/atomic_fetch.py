"""Files that are made once: whole or not at all, by one process at a time."""

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


def make_once(target: Path, make: Callable[[Path], None], ready: Callable[[], bool]) -> Path:
    """Makes the file `target` unless it is there, under a lock that other processes respect.

    Args:
        target: the file. Its folder is created when needed.
        make: writes the file at the path it is given: a hidden name in the same folder that ends
            like `target`. It becomes `target` in one step when `make` returns, and goes away when
            `make` fails.
        ready: tells, under the lock, whether `target` is there and good.

    Returns:
        `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_name(f".{target.name}.lock")) as locked:
        if locked:
            _remove_leftovers(target)
        if ready():
            return target
        part = target.with_name(f"{_part_prefix(target)}{uuid.uuid4().hex[:12]}-{target.name}")
        try:
            make(part)
            _flush(part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def _part_prefix(target: Path) -> str:
    return f".part-{target.name}-"


def _remove_leftovers(target: Path) -> None:
    # Whoever holds the lock is the only one who writes: these are of processes that were killed.
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
    """Holds the lock file `path`; yields False where the file system has no locks.

    The system drops the lock of a process that is killed. The holder removes the file before it
    lets go; `filelock` gives nobody the lock of a file that is gone, so whoever waited tries again.
    """
    lock = filelock.FileLock(path)
    if not _acquire(lock):
        path.unlink(missing_ok=True)
        yield False
        return
    try:
        yield True
    finally:
        # Windows removes no open file: there, the lock does it when it is released.
        with contextlib.suppress(PermissionError):
            path.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: filelock.BaseFileLock) -> bool:
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            logging.info("Waiting for another process that makes %s", Path(lock.lock_file).name)
            lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
