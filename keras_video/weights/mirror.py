"""A self-hosted mirror of published weights: `.keras` files and an index with their hashes.

`keras-video convert` fills a folder, which may be served over HTTP; `KERAS_VIDEO_MIRROR` names it.
While this is set, nothing is fetched from anywhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from absl import logging

from keras_video.atomic import write_text
from keras_video.weights.download import FetchError, download

VARIABLE = "KERAS_VIDEO_MIRROR"
INDEX = "index.json"
SUMS = "SHA256SUMS"
FORMAT = 1
LARGEST_INDEX = 1 << 26


@dataclass(frozen=True)
class Entry:
    """A row's weights in a mirror.

    Attributes:
        file: name of the `.keras` file.
        sha256: SHA-256 of the file, in hexadecimal.
        source: the published URL that it was converted from.
        head: the variables of the classifier, as `keras_video.weights.loading` names them.
        license: license of the weights, or `None` if unknown.
    """

    file: str
    sha256: str
    source: str
    head: tuple[str, ...] = ()
    license: str | None = None


def mirror_location() -> Path | str | None:
    """The folder, or the URL without a trailing slash; `None` if no mirror is set.

    Raises:
        FetchError: if the variable is neither a folder nor an http or https URL.
    """
    setting = os.environ.get(VARIABLE)
    if not setting:
        return None
    parts = urllib.parse.urlsplit(setting)
    if parts.scheme in ("http", "https"):
        return setting.rstrip("/")
    if parts.scheme == "file":
        folder = Path(urllib.request.url2pathname(parts.path))
    elif len(parts.scheme) > 1:  # a single letter is a Windows drive
        raise FetchError(
            f"expected {VARIABLE} to be a folder or an http, https or file URL, received "
            f"{setting!r}"
        )
    else:
        folder = Path(setting).expanduser()
    if not folder.is_dir():
        raise FetchError(f"{VARIABLE} names {folder}, which is not a folder")
    return folder


def read_index(folder: Path) -> dict[str, Entry]:
    """The entries of a mirror's folder by row id; empty if it has no index.

    Raises:
        FetchError: if the index is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_INDEX:
        raise FetchError(f"{path}: expected an index of at most {LARGEST_INDEX} bytes")
    return _entries(path.read_bytes(), str(path))


def fetch_index(address: str, cache: Path) -> dict[str, Entry]:
    """The entries of a mirror at a URL.

    Args:
        address: URL of the mirror, without a trailing slash.
        cache: folder in which the index is cached, for when the mirror is unreachable.

    Raises:
        FetchError: if the index cannot be fetched, or is damaged.
    """
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    copy = cache / f"index-{digest}.json"
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / INDEX
            download(f"{address}/{INDEX}", path, resumable=False, show_progress=False)
            if path.stat().st_size > LARGEST_INDEX:
                raise FetchError(f"{address}/{INDEX}: more than {LARGEST_INDEX} bytes")
            content = path.read_bytes()
    except FetchError as error:
        if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == 404:
            return {}
        if not copy.is_file():
            raise FetchError(f"Could not fetch {address}/{INDEX} ({VARIABLE}): {error}") from error
        logging.warning("%s/%s: %s; using the cached index", address, INDEX, error)
        return _entries(copy.read_bytes(), str(copy))
    entries = _entries(content, f"{address}/{INDEX}")
    write_text(copy, content.decode("utf-8"))
    return entries


def write_index(folder: Path, entries: dict[str, Entry]) -> None:
    """Writes the index of a mirror's folder, and its hashes in the format of `sha256sum`."""
    rows = {identity: asdict(entries[identity]) for identity in sorted(entries)}
    write_text(folder / INDEX, json.dumps({"format": FORMAT, "rows": rows}, indent=1) + "\n")
    sums = sorted({f"{entry.sha256}  {entry.file}\n" for entry in entries.values()})
    write_text(folder / SUMS, "".join(sums))


def _entries(content: bytes, where: str) -> dict[str, Entry]:
    try:
        index = json.loads(content)
        if index["format"] != FORMAT:
            raise FetchError(f"{where}: expected format {FORMAT}, received {index['format']!r:.80}")
        return {identity: _entry(facts) for identity, facts in index["rows"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FetchError(f"{where}: expected the index of a mirror: {error!r:.200}") from error


def _entry(facts: dict) -> Entry:
    entry = Entry(**{**facts, "head": tuple(facts.get("head", ()))})
    if not re.fullmatch(r"[\w][\w.+=@-]*\.keras", entry.file):
        raise ValueError(f"expected the name of a .keras file, received {entry.file!r:.80}")
    if not re.fullmatch(r"[0-9a-f]{64}", entry.sha256):
        raise ValueError(f"expected a SHA-256, received {entry.sha256!r:.80}")
    return entry
