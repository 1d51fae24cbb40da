"""Streams a file over HTTP: checks its length, hashes it, resumes after a lost connection."""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from absl import logging

from keras_video.progress import progress_bar
from keras_video.weights.connection import open_url

RETRY_PAUSES_SECONDS = (0.5, 1.0, 2.0)
# Larger than any published checkpoint; an endless response would fill the disk.
LARGEST_BYTES = 1 << 36
_CHUNK = 1 << 20
_RETRY_STATUSES = (408, 425, 429, 500, 502, 503, 504)


class FetchError(OSError):
    """A checkpoint could not be fetched; the message says why and what to do."""


class _TransientError(Exception):
    """An error that a retry may resolve."""


@dataclass
class _Progress:
    """What has been received so far, over all attempts."""

    file: BinaryIO
    resumable: bool
    received: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.received = 0
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self.file.write(chunk)
        self.digest.update(chunk)
        self.received += len(chunk)


def download(url: str, target: Path, *, resumable: bool, show_progress: bool) -> str:
    """Downloads `url` into the file `target`.

    Args:
        url: an http or https address.
        target: the file, which is created; it remains if the download fails.
        resumable: whether a retry may continue where the previous attempt stopped. Only for files
            whose hash is verified afterwards.
        show_progress: whether to draw a progress bar.

    Returns:
        The file's SHA-256 as a hexadecimal string.

    Raises:
        FetchError: the server returns an error, is unreachable, sends an invalid length, redirects
            to another scheme, or the connection keeps breaking or is too slow.
        OSError: the file cannot be written.
    """
    with target.open("xb") as file:
        progress = _Progress(file, resumable)
        for pause in (*RETRY_PAUSES_SECONDS, None):
            try:
                _attempt(url, progress, show_progress)
                return progress.digest.hexdigest()
            except _TransientError as error:
                if pause is None:
                    raise FetchError(f"{error} ({len(RETRY_PAUSES_SECONDS) + 1} tries)") from error
                logging.info("%s: %s; retrying in %s s", url, error, pause)
                time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _attempt(url: str, progress: _Progress, show_progress: bool) -> None:
    if not progress.resumable:
        progress.restart()
    try:
        with _open(url, progress.received) as response:
            if response.status not in (http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT):
                raise FetchError(f"HTTP status {response.status} {response.reason}")
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                progress.restart()
            _copy(response, progress, show_progress)
    except urllib.error.HTTPError as error:
        error.close()
        # The server rejected the range: the next attempt requests the whole file.
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and progress.received:
            progress.restart()
            raise _TransientError(f"HTTP status {error.code}") from error
        kind = _TransientError if error.code in _RETRY_STATUSES else FetchError
        raise kind(f"HTTP status {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _TransientError(f"no connection: {error.reason}") from error


def _open(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "keras-video", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        return open_url(request)
    except urllib.error.URLError:
        raise
    except (http.client.HTTPException, OSError) as error:
        raise _TransientError(f"the server's response was interrupted: {error!r}") from error


def _copy(response: http.client.HTTPResponse, progress: _Progress, show_progress: bool) -> None:
    total = _expected_bytes(response, progress)
    if total is not None:
        _check_space(Path(progress.file.name), total - progress.received)
    bar = progress_bar(total, "byte") if show_progress else None
    while chunk := _read(response):
        progress.write(chunk)
        if progress.received > LARGEST_BYTES:
            raise FetchError(f"received more than {LARGEST_BYTES} bytes, expected a checkpoint")
        if bar:
            bar.update(progress.received, finalize=False)
    if total is not None and progress.received != total:
        raise _TransientError(f"received {progress.received} of {total} bytes")
    if bar:
        bar.update(progress.received, finalize=True)


def _read(response: http.client.HTTPResponse) -> bytes:
    # Separate from writing, so that a full disk is not mistaken for a lost connection.
    try:
        return response.read1(_CHUNK)
    except (http.client.HTTPException, OSError) as error:
        raise _TransientError(f"the connection broke: {error!r}") from error


def _expected_bytes(response: http.client.HTTPResponse, progress: _Progress) -> int | None:
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        content_range = response.headers.get("Content-Range", "")
        if not content_range.startswith(f"bytes {progress.received}-"):
            progress.restart()
            raise _TransientError(f"the server sent the wrong part: {content_range!r}")
    lengths = {length.strip() for length in response.headers.get_all("Content-Length", [])}
    if not lengths or response.chunked:
        return None
    length, *others = sorted(lengths)
    if others or not re.fullmatch("[0-9]{1,18}", length):
        raise FetchError(
            f"the server sent Content-Length {', '.join(sorted(lengths))!r}, "
            "expected a number of bytes"
        )
    return progress.received + int(length)


def _check_space(target: Path, required: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if required > free:
        raise OSError(errno.ENOSPC, f"no space left: {required} bytes required, {free} free")


def is_interactive() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()
