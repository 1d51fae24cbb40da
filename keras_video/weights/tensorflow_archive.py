"""Reads TensorFlow checkpoints that are published as a folder in a tar archive."""

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

# Far more than any published checkpoint, far less than a disk.
MAX_BYTES = 1 << 33
MAX_MEMBERS = 10_000


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """The variables of the one checkpoint in an archive, as `read_tensorflow` gives them.

    Only the files of checkpoints are taken out, under names of their own, into a folder that is
    removed again; links and paths in the archive are not followed.

    Raises:
        CheckpointError: the archive is damaged, too large, or does not hold one checkpoint.
        ImportError: TensorFlow is not installed.
        OSError: the file cannot be opened.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(path, "r:gz") as archive:
                places = _extract(archive, Path(folder))
        except (tarfile.TarError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise CheckpointError(f"not a readable archive: {printable(str(error))}") from None
        if len(places) != 1:
            names = ", ".join(printable(name) for name in sorted(places)) or "none"
            raise CheckpointError(f"expected one TensorFlow checkpoint in the archive: {names}")
        return read_tensorflow(Path(folder) / next(iter(places.values())))


def _extract(archive, folder):
    """Writes the parts of checkpoints into a folder: `{prefix: its new one}` where one is whole."""
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
        place = prefixes.setdefault(prefix, str(len(prefixes)))
        ending = name.removeprefix(part["prefix"])
        if ending == INDEX_SUFFIX:
            indexed.add(prefix)
        with archive.extractfile(member) as source, (folder / f"{place}{ending}").open("wb") as out:
            shutil.copyfileobj(source, out)
    return {prefix: place for prefix, place in prefixes.items() if prefix in indexed}
