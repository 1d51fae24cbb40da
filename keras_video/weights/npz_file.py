"""Reads the arrays of NumPy's `.npz` files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, printable
from keras_video.weights.zip_directory import check_directory

SUFFIX = ".npz"

# Weights hardly compress: a file that unpacks to more than this ratio does not hold weights.
MAX_EXPANSION = 20
ALWAYS_ALLOWED_BYTES = 1 << 28


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file by name; nothing in it is unpickled.

    Raises:
        CheckpointError: the file is damaged, unpacks to far more than its size, or holds an array
            of anything but numbers.
    """
    with path.open("rb") as file:
        check_directory(file)
        _check_sizes(file, path.stat().st_size)
        try:
            with np.load(file, allow_pickle=False) as arrays:
                state = {name: arrays[name] for name in arrays.files}
        except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"not a readable .npz file of numbers: {printable(str(error))}"
            ) from None
    for name, array in state.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufc":
            raise CheckpointError(f"the entry {name[:80]!r} is no array of numbers")
        array.flags.writeable = False
    return state


def _check_sizes(file, size: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(info.file_size for info in archive.filelist)
            names = [info.filename for info in archive.filelist]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise CheckpointError(f"damaged .npz file: {printable(str(error))}") from None
    file.seek(0)
    if len(names) != len({*names}):
        raise CheckpointError("entries of the archive have the same name")
    if unpacked > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * size):
        raise CheckpointError(f"{size} bytes would unpack to {unpacked}")
