"""Published checkpoints: found locally, or downloaded, verified and cached.

A file is searched for in this order: the folder named by `KERAS_VIDEO_WEIGHTS`; the cache,
`keras_video/checkpoints` in the Keras home; the mirror in `KERAS_VIDEO_MIRROR`, or else the
published URL.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from absl import logging

from keras_video.weights.atomic_fetch import create_atomically
from keras_video.weights.download import FetchError, download, is_interactive
from keras_video.weights.mirror import VARIABLE as MIRROR_VARIABLE
from keras_video.weights.mirror import Entry, fetch_index, mirror_location, read_index

__all__ = ["FetchError", "cached_conversion", "fetch", "fetch_mirrored", "keras_video_home"]

WEIGHTS_FOLDER_VARIABLE = "KERAS_VIDEO_WEIGHTS"


def keras_video_home() -> Path:
    """Returns the package's folder in the Keras home: `$KERAS_HOME` or `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "keras_video"


def fetch(
    url: str,
    sha256_prefix: str | None = None,
    *,
    cache_dir: str | os.PathLike | None = None,
    verbose: bool | None = None,
) -> Path:
    """Returns the local path of a published file, downloading it if necessary.

    Concurrent processes download a file only once. A failure leaves no partial file.

    A file without a known hash is cached in a folder specific to its URL, since projects publish
    different files under the same name.

    Args:
        url: the published http or https URL; its last part is the file's name. It may end in
            `#sha256=` and a hash.
        sha256_prefix: the first hexadecimal digits of the file's SHA-256. None: not verified,
            unless the URL has a hash.
        cache_dir: the folder of downloads. Default: `keras_video/checkpoints` in the Keras home.
        verbose: whether to draw a progress bar. Default: if standard output is a terminal.

    Raises:
        FetchError: the file could not be fetched; the message says why, and where to put it.
        ValueError: `url` or `sha256_prefix` is malformed.
    """
    name = _file_name(url)
    prefix = _check_prefix(_stated_hash(url) if sha256_prefix is None else sha256_prefix)
    local = _find_local(url, name, prefix)
    if local:
        return local
    folder = Path(cache_dir) if cache_dir else keras_video_home() / "checkpoints"
    target = folder / name if prefix else folder / _folder_name(url) / name
    if _is_good(target, prefix):
        return target
    mirror = mirror_location()
    if isinstance(mirror, Path):
        return _in_folder(mirror, name, prefix)
    source = url if mirror is None else f"{mirror}/{urllib.parse.quote(name)}"
    return _download_once(source, target, prefix, verbose)


def fetch_mirrored(identity: str, *, verbose: bool | None = None) -> tuple[Path, Entry] | None:
    """The `.keras` file of a row in the mirror, and its entry; `None` if there is none.

    Raises:
        FetchError: the mirror is unreachable, or lists a file that is missing or has another hash.
    """
    mirror = mirror_location()
    if mirror is None:
        return None
    cache = keras_video_home() / "mirrored"
    in_folder = isinstance(mirror, Path)
    entry = (read_index(mirror) if in_folder else fetch_index(mirror, cache)).get(identity)
    if entry is None:
        return None
    if in_folder:
        return _in_folder(mirror, entry.file, entry.sha256), entry
    target = cache / entry.file
    if not _is_good(target, entry.sha256):
        address = f"{mirror}/{urllib.parse.quote(entry.file)}"
        _download_once(address, target, entry.sha256, verbose)
    return target, entry


def _download_once(source: str, target: Path, prefix: str, verbose: bool | None) -> Path:
    show_progress = is_interactive() if verbose is None else verbose

    def write(part: Path) -> None:
        logging.info("Downloading %s to %s", source, target)
        received = download(source, part, resumable=bool(prefix), show_progress=show_progress)
        if not received.startswith(prefix):
            raise FetchError(f"wrong content: expected SHA-256 {prefix}..., received {received}")

    try:
        return create_atomically(target, write, lambda: _is_good_or_removed(target, prefix))
    except OSError as error:
        raise _explain(error, source, target) from error


def cached_conversion(
    checkpoint: str | os.PathLike,
    key: str,
    convert: Callable[[Path], None],
    *,
    cache_dir: str | os.PathLike | None = None,
) -> Path:
    """Returns the converted form of a checkpoint, converting it the first time.

    Conversions are cached by the checkpoint's content and `key`, so a file whose content changes
    is converted again. Concurrent processes convert a checkpoint only once.

    Args:
        checkpoint: the file to convert.
        key: what else the result depends on: the model, the version of the conversion.
        convert: writes the result to the path it receives, which ends in `.weights.h5`.
        cache_dir: the folder of results. Default: `keras_video/converted` in the Keras home.

    Returns:
        The path of the result. Errors of `convert` propagate, and nothing is cached then.
    """
    checkpoint = Path(checkpoint)
    identity = hashlib.sha256(f"{sha256_of(checkpoint)}\n{key}".encode()).hexdigest()[:16]
    folder = Path(cache_dir) if cache_dir else keras_video_home() / "converted"
    target = folder / f"{checkpoint.stem[:100]}-{identity}.weights.h5"
    if target.is_file():
        return target
    return create_atomically(target, convert, target.is_file)


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal; an unchanged file is read once per process."""
    status = path.stat()
    return _digest(str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino)


@functools.lru_cache(maxsize=256)
def _digest(path: str, *_: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_name(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    name = urllib.parse.unquote(parts.path.rpartition("/")[2])
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w][\w .+()=@-]*", name):
        raise ValueError(f"expected an http(s) URL that ends in a file name, received {url!r}")
    return name


def _check_prefix(prefix: str | None) -> str:
    if prefix is not None and not re.fullmatch(r"[0-9a-fA-F]{4,64}", prefix):
        raise ValueError(f"expected 4 to 64 hexadecimal digits of a SHA-256, received {prefix!r}")
    return (prefix or "").lower()


def _stated_hash(url: str) -> str | None:
    """The hash after `#sha256=` at the end of a URL."""
    _, separator, stated = urllib.parse.urlsplit(url).fragment.partition("sha256=")
    return stated if separator else None


def _folder_name(url: str) -> str:
    """A name for the cache folder of a URL, the same for all files of one remote folder."""
    parts = urllib.parse.urlsplit(url)
    folder = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}"
    return hashlib.sha256(folder.encode()).hexdigest()[:16]


def _find_local(url: str, name: str, prefix: str) -> Path | None:
    setting = os.environ.get(WEIGHTS_FOLDER_VARIABLE)
    if not setting:
        return None
    folder = Path(setting).expanduser()
    if not folder.is_dir():
        raise FetchError(f"{WEIGHTS_FOLDER_VARIABLE} names {folder}, which is not a folder")
    # A project's files of the same name are in folders of different names.
    parent = urllib.parse.unquote(urllib.parse.urlsplit(url).path).split("/")[-2]
    nested = folder / parent / name if re.fullmatch(r"[\w][\w .+()=@-]*", parent) else folder / name
    path = nested if nested.is_file() else folder / name
    if not path.is_file():
        return None
    return _checked(path, prefix, WEIGHTS_FOLDER_VARIABLE)


def _in_folder(folder: Path, name: str, prefix: str) -> Path:
    """A file of a mirror that is a local folder."""
    path = folder / name
    if not path.is_file():
        raise FetchError(
            f"{folder} ({MIRROR_VARIABLE}) has no {name}, and while it is set no other place is "
            "asked: put the file there, or let keras-video convert fill the folder."
        )
    return _checked(path, prefix, MIRROR_VARIABLE)


def _checked(path: Path, prefix: str, variable: str) -> Path:
    if prefix and not sha256_of(path).startswith(prefix):
        raise FetchError(
            f"{path} (found through {variable}) has wrong content: expected SHA-256 {prefix}..., "
            f"received {sha256_of(path)}"
        )
    return path


def _is_good(path: Path, prefix: str) -> bool:
    return path.is_file() and (not prefix or sha256_of(path).startswith(prefix))


def _is_good_or_removed(path: Path, prefix: str) -> bool:
    if _is_good(path, prefix):
        return True
    if path.is_file():
        logging.warning("%s has wrong content and is fetched again", path)
        path.unlink()
    return False


def _explain(error: OSError, source: str, target: Path) -> FetchError:
    reason = str(error)
    if error.errno == errno.ENOSPC:
        reason = f"the disk is full ({error.strerror or error})"
    explained = FetchError(
        f"Could not fetch {source}: {reason}. To work offline, put the file "
        f"{target.name} at {target}, or into a folder named by the environment variable "
        f"{WEIGHTS_FOLDER_VARIABLE}; or set {MIRROR_VARIABLE} to a folder or a URL prefix under "
        f"which {target.name} is found."
    )
    explained.errno = error.errno
    return explained
