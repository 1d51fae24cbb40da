"""Files that lie elsewhere, read through fsspec."""

import contextlib
import posixpath
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Files that are fetched at the same time.
_CONNECTIONS = 8
# Files of a long list that are here at the same time; twice as many while the next are fetched.
_AT_ONCE = 32
_HERE = ("file://", "local://")


def is_remote(path):
    """Whether a path is an address such as "s3://bucket/a.mp4", and not a file of this machine.

    Addresses that begin with `file://` or `local://` are files of this machine, see `local_path`.
    """
    text = str(path)
    return "://" in text and not text.startswith(_HERE) and not Path(text).exists()


def local_path(path):
    """A path of this machine without `file://` or `local://`."""
    text = str(path)
    for start in _HERE:
        if text.startswith(start):
            return text.removeprefix(start)
    return text


def joined(root, path):
    """A path that starts from a root, either of which may be an address."""
    text = str(path)
    if root is None or "://" in text or Path(text).is_absolute():
        return text
    if "://" in str(root):
        return f"{str(root).rstrip('/')}/{text}"
    return str(Path(root) / text)


def filesystem(path):
    """`(file system, path in it)` of an address.

    Raises:
        ImportError: if fsspec, or the package for this kind of address, is not installed.
        ValueError: for an address of no known kind.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(
            f"{path}: 'fsspec' is missing: addresses need pip install keras-video[ray]",
            name="fsspec",
        ) from error
    return fsspec.core.url_to_fs(str(path))


def remote_files(address):
    """All files below an address, sorted, as addresses; of a file itself alone.

    Raises:
        FileNotFoundError: if there is nothing.
    """
    found, inner = filesystem(address)
    if found.isfile(inner):
        return [str(address)]
    names = found.find(inner)
    if not names:
        raise FileNotFoundError(f"received {address}, expected a file or folder; there is none")
    return sorted(found.unstrip_protocol(name) for name in names)


@contextlib.contextmanager
def fetched(paths):
    """Copies of remote files on this machine, in a temporary folder, for a while.

    Args:
        paths: paths and addresses.

    Yields:
        For each the path of a file here, or the error that fetching it raised. Files of this
        machine are given as they are. The name of a copy ends as that of the file does.
    """
    folder, copies = _fetch_all(paths)
    with folder:
        yield copies


def fetched_in_parts(paths, size=_AT_ONCE):
    """As `fetched` for a long list, part after part: while one is used, the next is fetched.

    Args:
        paths: paths and addresses.
        size: files of a part. If all files are of this machine, there is one part.

    Yields:
        A list as `fetched` gives it, for the next files; its copies stay until the next step.
    """
    if not any(map(is_remote, paths)):
        yield [local_path(path) for path in paths]
        return
    parts = [paths[start : start + size] for start in range(0, len(paths), size)]
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_fetch_all, parts[0])
        try:
            for number in range(1, len(parts) + 1):
                (folder, copies), coming = coming.result(), None
                with folder:
                    if number < len(parts):
                        coming = pool.submit(_fetch_all, parts[number])
                    yield copies
        finally:
            if coming is not None:
                coming.result()[0].cleanup()


def _fetch_all(paths):
    """A temporary folder, and where in it, or elsewhere on this machine, the files are."""
    folder = tempfile.TemporaryDirectory(prefix="keras-video-")
    places = [Path(folder.name, str(number)) for number in range(len(paths))]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return folder, list(pool.map(_fetch, paths, places))


def _fetch(path, folder):
    if not is_remote(path):
        return local_path(path)
    try:
        found, inner = filesystem(path)
        folder.mkdir()
        # Where an archive is named after the file, its own name is the first part.
        target = folder / (posixpath.basename(inner.rstrip("/")) or "file")
        found.get_file(inner, str(target))
    except Exception as error:  # noqa: BLE001 (every kind of file system has errors of its own)
        return error
    return str(target)
