"""Repositories of the Hugging Face Hub: files fetched and verified, and models uploaded.

The package `huggingface_hub` does the transfers; its cache, its tokens and its environment
variables (`HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`) hold.
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
# Taken of a repository in this order; of others the only one there is.
PREFERRED = ("model.keras", "model.safetensors", f"model{INDEX_SUFFIX}", "pytorch_model.bin")
# What says how a checkpoint is to be used lies beside it.
COMPANIONS = ("config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class HubAddress:
    """A repository of the Hub, or a file in it.

    Attributes:
        repository: `user/name`.
        file: its path there, or `None` for the one that holds the weights.
        revision: a branch, tag or commit; `None` for the main branch.
    """

    repository: str
    file: str | None = None
    revision: str | None = None

    def __str__(self):
        file = f"/{self.file}" if self.file else ""
        return f"{SCHEME}{self.repository}{file}{f'@{self.revision}' if self.revision else ''}"


def is_hub_address(text: str) -> bool:
    """Whether `text` begins with `hf://`, or is the page of a repository."""
    return text.startswith(SCHEME) or PAGE.fullmatch(text) is not None


def hub_address(text: str) -> HubAddress:
    """Reads `hf://user/name[/file][@revision]`, or the address of a repository's page.

    Raises:
        ValueError: for anything else.
    """
    page = PAGE.fullmatch(text)
    found = ADDRESS.fullmatch(page[1] if page else text.removeprefix(SCHEME))
    if found is None or (found["early"] and found["late"]) or ".." in (found["file"] or ""):
        raise ValueError(f"received {text!r}, expected hf://user/name[/file][@revision]")
    return HubAddress(found["repository"], found["file"], found["early"] or found["late"])


def fetch_published(url: str, sha256_prefix: str | None = None) -> Path:
    """The file of a published address: a repository's weights, or what `fetch` gives."""
    return fetch_hub(hub_address(url)) if is_hub_address(url) else fetch(url, sha256_prefix)


def fetch_hub(address: HubAddress) -> Path:
    """The path of a file of the Hub on this machine, in the Hub's cache.

    All files of a checkpoint are fetched, and what says how to use it (`config.json`,
    `preprocessor_config.json`) where the repository has it. Contents are checked by the hashes of
    the repository.

    Raises:
        FetchError: it cannot be had; the message says why.
        ImportError: `huggingface_hub` is not installed.
    """
    mirror = mirror_location()
    if mirror is not None:
        raise FetchError(
            f"{MIRROR_VARIABLE} is set, so {address} is not asked for, and {mirror} has no row of "
            "it: unset the variable, or give a file."
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
        FetchError: if there is none, or several of which none has a usual name.
    """
    usual = [name for name in PREFERRED if name in files]
    if usual:
        return usual[0]
    fitting = [name for name in files if name.endswith(".keras") or is_checkpoint_name(name)]
    fitting = [name for name in fitting if not re.search(r"-\d+-of-\d+\.safetensors$", name)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise FetchError(f"the repository has no weights; it has {_shown(files)}")
    raise FetchError(
        f"the repository has several files of weights, {_shown(fitting)}: name one, as in "
        f"{SCHEME}{address.repository}/{fitting[0]}"
    )


def upload(address: HubAddress, folder: Path, *, message: str, private: bool | None) -> str:
    """Uploads a folder's files as one commit, and makes the repository if there is none.

    Returns:
        The address of the commit's page.

    Raises:
        FetchError: the Hub refuses, or cannot be reached.
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
        ImportError: in one line, if it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            f"{address}: the Hub needs the package huggingface_hub: pip install keras-video[hub]"
        ) from error
    return huggingface_hub


def _list_files(hub, address: HubAddress) -> list[str]:
    """The files of a repository; of what the cache has of it where there is no connection."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return hub.HfApi().list_repo_files(address.repository, revision=address.revision)
    except HfHubHTTPError:
        raise
    except Exception as error:  # noqa: BLE001 - errors of whichever client the package uses
        try:
            folder = hub.snapshot_download(
                address.repository, revision=address.revision, local_files_only=True
            )
        except Exception:  # noqa: BLE001 - then the first error is the one to tell
            raise error from None
        logging.info("%s: %s; taken from the cache.", address, error)
        folder = Path(folder)
        files = (path for path in folder.rglob("*") if path.is_file())
        return [path.relative_to(folder).as_posix() for path in files]


def _fetch_file(hub, address: HubAddress, name: str) -> Path:
    """A file of the Hub's cache, whose content is that of the repository.

    The Hub's client checks lengths alone. What it hands out is a link to a file that is called by
    its hash; one that is damaged is fetched once more.
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
    raise AssertionError("the last try returns or raises")


def _hash_like(path: Path, expected: str) -> str | None:
    """The hash of a file, of the kind that `expected` is; `None` if that is none."""
    if re.fullmatch(r"[0-9a-f]{64}", expected):
        return sha256_of(path)
    if re.fullmatch(r"[0-9a-f]{40}", expected):
        content = path.read_bytes()
        # As git names the contents of files.
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return None


@contextlib.contextmanager
def _explained(address: object) -> Iterator[None]:
    """Turns whatever goes wrong with the Hub into a `FetchError` of one line."""
    try:
        yield
    except FetchError as error:
        raise FetchError(f"Could not fetch {address}: {error}") from error
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - errors of whichever client the package uses
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            reason = f"the disk is full ({error.strerror or error})"
        explained = FetchError(f"{address}: {type(error).__name__}: {reason:.400}")
        explained.errno = getattr(error, "errno", None)
        raise explained from error


def _shown(files: list[str]) -> str:
    shown = ", ".join(sorted(files)[:10]) or "no files"
    return f"{shown}, ..." if len(files) > 10 else shown
