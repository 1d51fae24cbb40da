"""Remote files, read through fsspec."""

import contextlib
import posixpath
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Files that are fetched concurrently.
_CONNECTIONS = 8
# Files of a long list that are fetched at a time; twice that number while the next are fetched.
_PART_SIZE = 32
_LOCAL_SCHEMES = ("file://", "local://")


def is_remote(path):
    """Whether a path is a URL such as "s3://bucket/a.mp4", not a local file.

    URLs that begin with `file://` or `local://` are local files, see `local_path`.
    """
    text = str(path)
    return "://" in text and not text.startswith(_LOCAL_SCHEMES) and not Path(text).exists()


def local_path(path):
    """A local path without `file://` or `local://`."""
    text = str(path)
    for scheme in _LOCAL_SCHEMES:
        if text.startswith(scheme):
            return text.removeprefix(scheme)
    return text


def joined(root, path):
    """A path joined to a root; either may be a URL."""
    text = str(path)
    if root is None or "://" in text or Path(text).is_absolute():
        return text
    if "://" in str(root):
        return f"{str(root).rstrip('/')}/{text}"
    return str(Path(root) / text)


def filesystem(path):
    """`(file system, path in it)` of a URL.

    Raises:
        ImportError: if fsspec, or the package for this URL scheme, is not installed.
        ValueError: for an unknown URL scheme.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(
            f"{path}: 'fsspec' is missing: remote files need pip install keras-video[ray]",
            name="fsspec",
        ) from error
    return fsspec.core.url_to_fs(str(path))


def remote_files(address):
    """The URLs of all files below a URL, sorted; for a file, its own URL alone.

    Raises:
        FileNotFoundError: if there is no such file or folder.
    """
    files, inner = filesystem(address)
    if files.isfile(inner):
        return [str(address)]
    names = files.find(inner)
    if not names:
        raise FileNotFoundError(f"received {address}, expected a file or folder; there is none")
    return sorted(files.unstrip_protocol(name) for name in names)


@contextlib.contextmanager
def fetched(paths):
    """Local copies of remote files, in a temporary folder.

    Args:
        paths: paths and URLs.

    Yields:
        For each the path of a local file, or the error raised while fetching it. Local files are
        not copied. The name of a copy ends like the name of the file.
    """
    folder, copies = _fetch_all(paths)
    with folder:
        yield copies


def fetched_in_parts(paths, size=_PART_SIZE):
    """As `fetched` for a long list, in parts: while one is used, the next is fetched.

    Args:
        paths: paths and URLs.
        size: files per part. If all files are local, there is one part.

    Yields:
        A list as `fetched` yields it, for the next files; its copies exist until the next step.
    """
    if not any(map(is_remote, paths)):
        yield [local_path(path) for path in paths]
        return
    parts = [paths[start : start + size] for start in range(0, len(paths), size)]
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(_fetch_all, parts[0])
        try:
            for number in range(1, len(parts) + 1):
                (folder, copies), upcoming = upcoming.result(), None
                with folder:
                    if number < len(parts):
                        upcoming = pool.submit(_fetch_all, parts[number])
                    yield copies
        finally:
            if upcoming is not None:
                upcoming.result()[0].cleanup()


def _fetch_all(paths):
    """A temporary folder, and the local paths of the files, in it or elsewhere."""
    folder = tempfile.TemporaryDirectory(prefix="keras-video-")
    targets = [Path(folder.name, str(number)) for number in range(len(paths))]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return folder, list(pool.map(_fetch, paths, targets))


def _fetch(path, folder):
    if not is_remote(path):
        return local_path(path)
    try:
        files, inner = filesystem(path)
        folder.mkdir()
        # For URLs of files inside archives, this is the name of the file, not of the archive.
        target = folder / (posixpath.basename(inner.rstrip("/")) or "file")
        files.get_file(inner, str(target))
    except Exception as error:  # noqa: BLE001 (every file system has its own errors)
        return error
    return str(target)
