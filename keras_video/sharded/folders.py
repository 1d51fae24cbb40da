"""Local and remote folders that shards are written to."""

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
    """A local folder, or one on a disk that several machines share."""

    def __init__(self, path):
        # Workers may have another working directory.
        self.path = Path(path).absolute()

    def __str__(self):
        return str(self.path)

    @contextlib.contextmanager
    def held(self):
        """Creates and locks the folder for this process, and removes partial files.

        Raises:
            RuntimeError: if another process has locked it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / _LOCK, timeout=0, is_singleton=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise RuntimeError(
                f"{self} is in use by another process: expected one at a time; wait until it "
                "ends, or use another folder"
            ) from None
        except (NotImplementedError, OSError) as error:
            logging.warning(
                "Cannot lock %s (%s): make sure that no other run writes there", self, error
            )
        try:
            atomic.remove_parts(self.path)
            yield
            atomic.remove_parts(self.path)
        finally:
            lock.release()

    def size(self, name):
        """Size of a file in bytes, or `None` if there is none."""
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name):
        """Opens a file for reading bytes."""
        return (self.path / name).open("rb")

    def write_bytes(self, name, content):
        """Writes a file atomically."""
        atomic.write_bytes(self.path / name, content)

    @contextlib.contextmanager
    def writing(self, name):
        """A local path to write to; the file appears atomically."""
        with atomic.atomic_path(self.path / name) as part:
            yield part


class RemoteFolder:
    """A folder at an fsspec URL. Nothing prevents two processes from writing to it.

    Files are written locally first and uploaded when they are complete.
    """

    def __init__(self, address):
        self._address = str(address).rstrip("/")
        self._files, self._path = filesystem(self._address)

    def __str__(self):
        return self._address

    @contextlib.contextmanager
    def held(self):
        """Creates the folder if the file system has folders."""
        self._files.makedirs(self._path, exist_ok=True)
        yield

    def size(self, name):
        """Size of a file in bytes, or `None` if there is none."""
        self._files.invalidate_cache()
        try:
            return self._files.size(f"{self._path}/{name}")
        except FileNotFoundError:
            return None

    def open(self, name):
        """Opens a file for reading bytes."""
        return self._files.open(f"{self._path}/{name}", "rb")

    def write_bytes(self, name, content):
        """Writes a file; in object stores it appears when it is complete."""
        self._files.pipe_file(f"{self._path}/{name}", content)

    @contextlib.contextmanager
    def writing(self, name):
        """A local path to write to; the file is uploaded if the block succeeds."""
        with tempfile.TemporaryDirectory(prefix="keras-video-") as folder:
            part = Path(folder, name)
            yield part
            self._files.put_file(str(part), f"{self._path}/{name}")


def checksum(file):
    """SHA-256 of the rest of an open file."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
