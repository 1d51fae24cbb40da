"""Reads TensorFlow checkpoints published as tar archives."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, printable
from keras_video.weights.tensorflow_file import INDEX_SUFFIX, read_tensorflow

SUFFIXES = (".tar.gz", ".tgz")
PART = re.compile(r"(?P<prefix>[^/]+)(?:\.index|\.data-\d{5}-of-\d{5})")

# Far more than any published checkpoint, far less than the size of a disk.
MAX_BYTES = 1 << 33
MAX_MEMBERS = 10_000


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """The variables of the only checkpoint in an archive, as returned by `read_tensorflow`.

    Only checkpoint files are extracted, under new names, into a temporary folder; links and paths
    in the archive are not followed.

    Raises:
        CheckpointError: the archive is damaged, too large, or does not hold exactly one checkpoint.
        ImportError: TensorFlow is not installed.
        OSError: the file cannot be opened.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(path, "r:gz") as archive:
                prefixes = _extract(archive, Path(folder))
        except (tarfile.TarError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise CheckpointError(f"not a readable archive: {printable(str(error))}") from None
        if len(prefixes) != 1:
            names = ", ".join(printable(name) for name in sorted(prefixes)) or "none"
            raise CheckpointError(f"expected one TensorFlow checkpoint in the archive: {names}")
        return read_tensorflow(Path(folder) / next(iter(prefixes.values())))


def _extract(archive, folder):
    """Extracts checkpoint files; returns `{prefix: new prefix}` of those that have an index."""
    prefixes, indexed, total = {}, set(), 0
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise CheckpointError(f"the archive has more than {MAX_MEMBERS} members")
        parent, _, name = member.name.rpartition("/")
        part = PART.fullmatch(name)
        if part is None or not member.isfile() or name.startswith("._"):
            continue
        total += member.size
        if total > MAX_BYTES:
            raise CheckpointError(f"the archive's checkpoints have more than {MAX_BYTES} bytes")
        prefix = f"{parent}/{part['prefix']}"
        new_prefix = prefixes.setdefault(prefix, str(len(prefixes)))
        suffix = name.removeprefix(part["prefix"])
        if suffix == INDEX_SUFFIX:
            indexed.add(prefix)
        with (
            archive.extractfile(member) as source,
            (folder / f"{new_prefix}{suffix}").open("wb") as out,
        ):
            shutil.copyfileobj(source, out)
    return {prefix: new for prefix, new in prefixes.items() if prefix in indexed}
