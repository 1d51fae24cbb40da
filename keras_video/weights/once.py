"""Files that are made once: whole or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import logging

try:
    import fcntl
except ImportError:  # Windows. Files still appear whole, but two processes may both make one.
    fcntl = None

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
    """Holds the lock file `path`; yields False where the file system or machine has no locks.

    The kernel drops the lock of a process that is killed. The holder removes the file before it
    lets go, so a process that waited may get the lock of a file that is gone: it tries again.
    """
    if fcntl is None:
        yield False
        return
    descriptor = _acquire(path)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _wait_for_lock(descriptor, path)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise
            path.unlink(missing_ok=True)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait_for_lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.info("Waiting for another process that makes %s", path.name)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
