"""Published checkpoints on this machine: found, or downloaded, verified and kept.

Where a file is looked for, in this order: the folder named by `KERAS_VIDEO_WEIGHTS`; the cache,
`keras_video/checkpoints` in the Keras home; the URL prefix in `KERAS_VIDEO_MIRROR`, or else the
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

from keras_video.weights.download import FetchError, download, is_interactive
from keras_video.weights.once import make_once

__all__ = ["FetchError", "cached_conversion", "fetch", "keras_video_home"]

WEIGHTS_FOLDER_VARIABLE = "KERAS_VIDEO_WEIGHTS"
MIRROR_VARIABLE = "KERAS_VIDEO_MIRROR"


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
    """Returns the path of a published file, downloading it when it is not on this machine yet.

    Two processes that fetch one file at once download it once. A failure leaves nothing behind.

    Args:
        url: the published address, http or https; its last part is the file's name.
        sha256_prefix: the first hexadecimal digits of the file's SHA-256. None: not verified.
        cache_dir: the folder of downloads. Default: `keras_video/checkpoints` in the Keras home.
        verbose: whether to draw a progress bar. Default: when the standard output is a terminal.

    Raises:
        FetchError: no such file could be had; the message says why, and which file to put where.
        ValueError: `url` or `sha256_prefix` are malformed.
    """
    name = _file_name(url)
    prefix = _check_prefix(sha256_prefix)
    local = _find_local(name, prefix)
    if local:
        return local
    folder = Path(cache_dir) if cache_dir else keras_video_home() / "checkpoints"
    target = folder / name
    if _is_good(target, prefix):
        return target
    show_progress = is_interactive() if verbose is None else verbose
    source = _source(url, name)

    def make(part: Path) -> None:
        logging.info("Downloading %s to %s", source, target)
        received = download(source, part, resumable=bool(prefix), show_progress=show_progress)
        if not received.startswith(prefix):
            raise FetchError(f"wrong content: expected SHA-256 {prefix}..., received {received}")

    try:
        return make_once(target, make, lambda: _is_good_or_removed(target, prefix))
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

    A conversion is found again by the checkpoint's content and `key`, so a file that changes under
    its name is converted anew. Processes that need one conversion at once make it once.

    Args:
        checkpoint: the file that is converted.
        key: what else the result depends on: the model, the version of the conversion.
        convert: writes the result at the path it is given, which ends in `.weights.h5`.
        cache_dir: the folder of results. Default: `keras_video/converted` in the Keras home.

    Returns:
        The path of the result. What `convert` raises is passed on, and nothing is kept then.
    """
    checkpoint = Path(checkpoint)
    identity = hashlib.sha256(f"{sha256_of(checkpoint)}\n{key}".encode()).hexdigest()[:16]
    folder = Path(cache_dir) if cache_dir else keras_video_home() / "converted"
    target = folder / f"{checkpoint.stem[:100]}-{identity}.weights.h5"
    if target.is_file():
        return target
    return make_once(target, convert, target.is_file)


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


def _find_local(name: str, prefix: str) -> Path | None:
    setting = os.environ.get(WEIGHTS_FOLDER_VARIABLE)
    if not setting:
        return None
    folder = Path(setting).expanduser()
    if not folder.is_dir():
        raise FetchError(f"{WEIGHTS_FOLDER_VARIABLE} names {folder}, which is not a folder")
    path = folder / name
    if not path.is_file():
        return None
    if prefix and not sha256_of(path).startswith(prefix):
        raise FetchError(
            f"{path} (found through {WEIGHTS_FOLDER_VARIABLE}) has wrong content: expected "
            f"SHA-256 {prefix}..., received {sha256_of(path)}"
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


def _source(url: str, name: str) -> str:
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return url
    if urllib.parse.urlsplit(mirror).scheme not in ("http", "https"):
        raise FetchError(
            f"expected {MIRROR_VARIABLE} to be an http(s) URL prefix, received {mirror!r}; "
            f"for a folder set {WEIGHTS_FOLDER_VARIABLE}"
        )
    return f"{mirror.rstrip('/')}/{urllib.parse.quote(name)}"


def _explain(error: OSError, source: str, target: Path) -> FetchError:
    reason = str(error)
    if error.errno == errno.ENOSPC:
        reason = f"the disk is full ({error.strerror or error})"
    explained = FetchError(
        f"Could not fetch {source}: {reason}. To do without the network, put the file "
        f"{target.name} at {target}, or into a folder named by the environment variable "
        f"{WEIGHTS_FOLDER_VARIABLE}; or set {MIRROR_VARIABLE} to a URL prefix under which "
        f"{target.name} is found."
    )
    explained.errno = error.errno
    return explained
