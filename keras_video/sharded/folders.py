"""Folders that shards are written to, of this machine or elsewhere."""

import contextlib
import hashlib
import tempfile
from pathlib import Path

import filelock
from absl import logging

from keras_video import atomic
from keras_video.sharded.remote import filesystem, is_remote, local_path

_BLOCK = 1 << 20
_LOCK = ".shards.lock"


def open_folder(address):
    """A `LocalFolder`, or a `RemoteFolder` for an address such as "s3://bucket/scores"."""
    return RemoteFolder(address) if is_remote(address) else LocalFolder(local_path(address))


class LocalFolder:
    """A folder of this machine, or of a disk that several machines share."""

    def __init__(self, path):
        # Workers may have another working directory.
        self.path = Path(path).absolute()

    def __str__(self):
        return str(self.path)

    @contextlib.contextmanager
    def held(self):
        """Holds the folder, made if it is missing, for this process; clears what was left half.

        Raises:
            RuntimeError: if another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / _LOCK, timeout=0, is_singleton=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise RuntimeError(
                f"{self} is in use by another process: expected one at a time; wait until it has "
                "ended, or name another folder"
            ) from None
        except (NotImplementedError, OSError) as error:
            logging.warning(
                "No lock in %s (%s): take care that no second run writes there", self, error
            )
        try:
            atomic.remove_parts(self.path)
            yield
            atomic.remove_parts(self.path)
        finally:
            lock.release()

    def size(self, name):
        """Bytes of a file, or `None` if there is none."""
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name):
        """A file to read bytes from."""
        return (self.path / name).open("rb")

    def write_bytes(self, name, content):
        """Writes a file, whole or not at all."""
        atomic.write_bytes(self.path / name, content)

    @contextlib.contextmanager
    def writing(self, name):
        """A path of this machine to write to, for a file that appears whole or not at all."""
        with atomic.atomic_path(self.path / name) as part:
            yield part


class RemoteFolder:
    """A folder behind an address that fsspec knows. Nothing keeps two processes from writing to it.

    Files are written here first and sent when they are complete.
    """

    def __init__(self, address):
        self._address = str(address).rstrip("/")
        self._files, self._path = filesystem(self._address)

    def __str__(self):
        return self._address

    @contextlib.contextmanager
    def held(self):
        """Makes the folder where the file system has folders."""
        self._files.makedirs(self._path, exist_ok=True)
        yield

    def size(self, name):
        """Bytes of a file, or `None` if there is none."""
        self._files.invalidate_cache()
        try:
            return self._files.size(f"{self._path}/{name}")
        except FileNotFoundError:
            return None

    def open(self, name):
        """A file to read bytes from."""
        return self._files.open(f"{self._path}/{name}", "rb")

    def write_bytes(self, name, content):
        """Writes a file; object stores show it when it is complete."""
        self._files.pipe_file(f"{self._path}/{name}", content)

    @contextlib.contextmanager
    def writing(self, name):
        """A path of this machine to write to; the file is sent when all went well."""
        with tempfile.TemporaryDirectory(prefix="keras-video-") as folder:
            part = Path(folder, name)
            yield part
            self._files.put_file(str(part), f"{self._path}/{name}")


def checksum(file):
    """SHA-256 of what an open file holds from here on."""
    found = hashlib.sha256()
    while block := file.read(_BLOCK):
        found.update(block)
    return found.hexdigest()
