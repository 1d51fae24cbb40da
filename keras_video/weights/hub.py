"""Repositories of the Hugging Face Hub: fetches and verifies files, and uploads models.

The package `huggingface_hub` does the transfers; its cache, tokens and environment variables
(`HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`) apply.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from absl import logging

from keras_video.weights.checkpoint import is_checkpoint_name
from keras_video.weights.download import FetchError
from keras_video.weights.fetch import fetch, sha256_of
from keras_video.weights.mirror import VARIABLE as MIRROR_VARIABLE
from keras_video.weights.mirror import mirror_location
from keras_video.weights.safetensors_file import INDEX_SUFFIX, listed_files

SCHEME = "hf://"
PAGE = re.compile(r"https://huggingface\.co/([\w.-]+/[\w.-]+)/?")
PART = r"[\w][\w.-]*"
ADDRESS = re.compile(
    rf"(?P<repository>{PART}/{PART})"
    r"(?:@(?P<early>refs/(?:pr|convert)/[\w.-]+|[\w][\w.-]*))?"
    r"(?:/(?P<file>[^@?#]+))?"
    r"(?:@(?P<late>[\w][\w./-]*))?"
)
# Weight files of a repository in order of preference; a single file of another name also works.
PREFERRED = ("model.keras", "model.safetensors", f"model{INDEX_SUFFIX}", "pytorch_model.bin")
# Files beside a checkpoint that describe how to use it.
COMPANIONS = ("config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class HubAddress:
    """A repository of the Hub, or a file in it.

    Attributes:
        repository: `user/name`.
        file: its path in the repository, or `None` for the file that holds the weights.
        revision: a branch, tag or commit; `None` for the main branch.
    """

    repository: str
    file: str | None = None
    revision: str | None = None

    def __str__(self):
        file = f"/{self.file}" if self.file else ""
        return f"{SCHEME}{self.repository}{file}{f'@{self.revision}' if self.revision else ''}"


def is_hub_address(text: str) -> bool:
    """Whether `text` begins with `hf://`, or is the URL of a repository's page."""
    return text.startswith(SCHEME) or PAGE.fullmatch(text) is not None


def hub_address(text: str) -> HubAddress:
    """Parses `hf://user/name[/file][@revision]`, or the URL of a repository's page.

    Raises:
        ValueError: for anything else.
    """
    page = PAGE.fullmatch(text)
    match = ADDRESS.fullmatch(page[1] if page else text.removeprefix(SCHEME))
    if match is None or (match["early"] and match["late"]) or ".." in (match["file"] or ""):
        raise ValueError(f"received {text!r}, expected hf://user/name[/file][@revision]")
    return HubAddress(match["repository"], match["file"], match["early"] or match["late"])


def fetch_published(url: str, sha256_prefix: str | None = None) -> Path:
    """The local file of a published URL: a Hub repository's weights, or the result of `fetch`."""
    return fetch_hub(hub_address(url)) if is_hub_address(url) else fetch(url, sha256_prefix)


def fetch_hub(address: HubAddress) -> Path:
    """The path of a Hub file in the local Hub cache.

    All files of a checkpoint are fetched, and its `config.json` and `preprocessor_config.json` if
    the repository has them. Contents are verified with the repository's hashes.

    Raises:
        FetchError: it cannot be fetched; the message says why.
        ImportError: `huggingface_hub` is not installed.
    """
    mirror = mirror_location()
    if mirror is not None:
        raise FetchError(
            f"{MIRROR_VARIABLE} is set, so {address} is not fetched from the Hub, and {mirror} "
            "does not have it: unset the variable, or give a file."
        )
    hub = import_hub(address)
    with _explained(address):
        files = _list_files(hub, address)
        name = address.file or choose_file(files, address)
        if name not in files:
            raise FetchError(f"the repository has no {name}; it has {_shown(files)}")
        path = _fetch_file(hub, address, name)
        folder = name.rpartition("/")[0]
        if name.endswith(INDEX_SUFFIX):
            for shard in listed_files(path):
                _fetch_file(hub, address, f"{folder}/{shard}".lstrip("/"))
        for companion in COMPANIONS:
            beside = f"{folder}/{companion}".lstrip("/")
            if beside in files:
                _fetch_file(hub, address, beside)
    return path


def choose_file(files: list[str], address: HubAddress) -> str:
    """The file that holds a repository's weights.

    Raises:
        FetchError: if there is none, or several and none has a standard name.
    """
    standard = [name for name in PREFERRED if name in files]
    if standard:
        return standard[0]
    candidates = [name for name in files if name.endswith(".keras") or is_checkpoint_name(name)]
    candidates = [name for name in candidates if not re.search(r"-\d+-of-\d+\.safetensors$", name)]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise FetchError(f"the repository has no weights; it has {_shown(files)}")
    raise FetchError(
        f"the repository has several weight files, {_shown(candidates)}: name one, as in "
        f"{SCHEME}{address.repository}/{candidates[0]}"
    )


def upload(address: HubAddress, folder: Path, *, message: str, private: bool | None) -> str:
    """Uploads a folder's files as one commit, and creates the repository if necessary.

    Returns:
        The URL of the commit's page.

    Raises:
        FetchError: the Hub returns an error or is unreachable.
        ImportError: `huggingface_hub` is not installed.
    """
    hub = import_hub(address)
    with _explained(address):
        api = hub.HfApi()
        api.create_repo(address.repository, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=address.repository,
            folder_path=str(folder),
            revision=address.revision,
            commit_message=message,
        )
    return str(commit.commit_url)


def import_hub(address: object):
    """The package `huggingface_hub`.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            f"{address}: the Hub needs the package huggingface_hub: pip install keras-video[hub]"
        ) from error
    return huggingface_hub


def _list_files(hub, address: HubAddress) -> list[str]:
    """The files of a repository; those in the cache if there is no connection."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return hub.HfApi().list_repo_files(address.repository, revision=address.revision)
    except HfHubHTTPError:
        raise
    except Exception as error:  # noqa: BLE001 - depends on the package's HTTP client
        try:
            folder = hub.snapshot_download(
                address.repository, revision=address.revision, local_files_only=True
            )
        except Exception:  # noqa: BLE001 - the first error is more useful
            raise error from None
        logging.info("%s: %s; using the cache.", address, error)
        folder = Path(folder)
        files = (path for path in folder.rglob("*") if path.is_file())
        return [path.relative_to(folder).as_posix() for path in files]


def _fetch_file(hub, address: HubAddress, name: str) -> Path:
    """Fetches a file into the Hub's cache and verifies its content.

    The Hub's client only checks lengths. It returns a link to a file named by its hash; a damaged
    file is fetched once more.
    """
    for last in (False, True):
        path = Path(hub.hf_hub_download(address.repository, name, revision=address.revision))
        expected = path.readlink().name if path.is_symlink() else ""
        received = _hash_like(path, expected)
        if received is None or received == expected:
            return path
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if last:
            raise FetchError(f"{name}: wrong content: expected {expected}, received {received}")
        logging.warning("%s of %s has wrong content and is fetched again", name, address)
    raise AssertionError("the last attempt returns or raises")


def _hash_like(path: Path, expected: str) -> str | None:
    """The hash of a file, of the same kind as `expected`; `None` if that is not a hash."""
    if re.fullmatch(r"[0-9a-f]{64}", expected):
        return sha256_of(path)
    if re.fullmatch(r"[0-9a-f]{40}", expected):
        content = path.read_bytes()
        # A git blob hash.
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return None


@contextlib.contextmanager
def _explained(address: object) -> Iterator[None]:
    """Turns any error of the Hub into a one-line `FetchError`."""
    try:
        yield
    except FetchError as error:
        raise FetchError(f"Could not fetch {address}: {error}") from error
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - depends on the package's HTTP client
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            reason = f"the disk is full ({error.strerror or error})"
        explained = FetchError(f"{address}: {type(error).__name__}: {reason:.400}")
        explained.errno = getattr(error, "errno", None)
        raise explained from error


def _shown(files: list[str]) -> str:
    shown = ", ".join(sorted(files)[:10]) or "no files"
    return f"{shown}, ..." if len(files) > 10 else shown
