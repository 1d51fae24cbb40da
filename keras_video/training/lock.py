"""The lock of a run's folder: two runs do not write to the same one."""

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

    The operating system drops the lock of a process that was killed. A file beside it says who
    holds it.

    Args:
        folder: an existing folder.

    Raises:
        FolderInUseError: naming the process that holds the folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        # The path by which another process finds the same file may be another one.
        self._lock = filelock.FileLock(self.folder / LOCK, timeout=0, is_singleton=False)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise FolderInUseError(
                f"{self.folder} is in use by {_owner(self.folder)}: expected a folder of its own "
                "for every run. Wait until that run has ended, or name another folder."
            ) from None
        except (NotImplementedError, OSError) as error:
            logging.warning(
                "No lock in %s (%s): take care that no second run writes there", folder, error
            )
            return
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        atomic.write_text(self.folder / OWNER, json.dumps(owner) + "\n")

    def release(self):
        """Lets go of the folder; more than once has no effect."""
        if self._lock.is_locked:
            (self.folder / OWNER).unlink(missing_ok=True)
            self._lock.release()


def _owner(folder):
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']}"
    return "another process"
