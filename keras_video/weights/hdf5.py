"""HDF5 files of weights from anywhere: what they hold must lie in them, and be as large as it says.

HDF5 can lead elsewhere in four ways, all of which a reader follows unasked: links to other files,
links by name, datasets whose bytes are in other files, and virtual datasets put together from other
files. Keras writes none of them, and follows some of them before 3.15.1.
"""

from __future__ import annotations

from typing import BinaryIO

import h5py

# Objects of one file; the largest published networks have some thousands.
LARGEST_COUNT = 200_000
# A dataset from this size on must lie in the file, up to the compression of ordinary weights.
FREE_BYTES = 1 << 24
LARGEST_RATIO = 100


class UnsafeFileError(ValueError):
    """A file of Keras that could run code, read other files or fill the memory is not opened."""


def check_hdf5(file: str | BinaryIO, name: str) -> None:
    """Looks through an HDF5 file without following anything that leads out of it.

    Args:
        file: the path, or the open file.
        name: what errors call it.

    Raises:
        UnsafeFileError: it is damaged, or has links by name or to other files, datasets that lie in
            other files, are virtual, hold other things than numbers, or are far larger than the
            file.
    """
    try:
        with h5py.File(file, "r") as opened:
            for place, dataset in _datasets(opened, name):
                _check_dataset(dataset, f"{name}: {place!r:.200}")
    except (OSError, RuntimeError, KeyError, TypeError, OverflowError) as error:
        raise UnsafeFileError(f"{name}: expected an HDF5 file of weights: {error}") from error


def _datasets(file, name):
    """`(place, dataset)` of each dataset, once."""
    seen, waiting = {h5py.h5o.get_info(file.id).addr}, [file]
    while waiting:
        group = waiting.pop()
        for key in group:
            place = f"{group.name}/{key}".replace("//", "/")
            link = group.get(key, getlink=True)
            if type(link) is not h5py.HardLink:
                raise UnsafeFileError(
                    f"{name}: {place!r:.200} is a link to {_target(link)!r:.200}, expected what it "
                    "names itself"
                )
            found = group[key]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > LARGEST_COUNT:
                raise UnsafeFileError(f"{name}: received more than {LARGEST_COUNT} objects")
            if isinstance(found, h5py.Group):
                waiting.append(found)
            elif isinstance(found, h5py.Dataset):
                yield place, found


def _target(link):
    return ":".join(part for part in (getattr(link, "filename", ""), link.path) if part)


def _check_dataset(dataset, where):
    if dataset.is_virtual:
        files = ", ".join(sorted({source.file_name for source in dataset.virtual_sources()}))
        raise UnsafeFileError(f"{where} is a virtual dataset of {files:.200}, expected numbers")
    if dataset.external:
        files = ", ".join(str(part[0]) for part in dataset.external)
        raise UnsafeFileError(f"{where} lies in {files:.200}, expected it in this file")
    # Types: numbers and truth values; "V" without fields is how bfloat16 is kept.
    if dataset.dtype.kind not in "biufcV" or dataset.dtype.fields:
        raise UnsafeFileError(f"{where} is of type {dataset.dtype}, expected numbers")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(FREE_BYTES, LARGEST_RATIO * stored):
        raise UnsafeFileError(
            f"{where} of shape {dataset.shape} takes {dataset.nbytes} bytes, of which {stored} are "
            "in the file"
        )
