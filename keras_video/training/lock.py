"""The lock of a run's folder, which keeps two runs from writing to it."""

import contextlib
import json
import os
import socket
from pathlib import Path

import filelock
from absl import logging

from keras_video import atomic

LOCK, OWNER = ".run.lock", ".run.lock.json"


class FolderInUseError(RuntimeError):
    """Another process trains in the folder."""


class FolderLock:
    """Holds a folder for this process until it is released or the process ends.

    The operating system releases the lock of a process that was killed. A file next to it names
    the process that holds it.

    Args:
        folder: an existing folder.

    Raises:
        FolderInUseError: naming the process that holds the folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        # Not a singleton: the same file may be reached through different paths.
        self._lock = filelock.FileLock(self.folder / LOCK, timeout=0, is_singleton=False)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise FolderInUseError(
                f"{self.folder} is in use by {_owner(self.folder)}: expected a separate "
                "folder for every run. Wait until that run has ended, or use another folder."
            ) from None
        except (NotImplementedError, OSError) as error:
            logging.warning(
                "Cannot lock %s (%s): make sure that no other run writes there", folder, error
            )
            return
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        atomic.write_text(self.folder / OWNER, json.dumps(owner) + "\n")

    def release(self):
        """Releases the folder; repeated calls have no effect."""
        if self._lock.is_locked:
            (self.folder / OWNER).unlink(missing_ok=True)
            self._lock.release()


def _owner(folder):
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']}"
    return "another process"
