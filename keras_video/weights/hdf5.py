"""Checks of untrusted HDF5 weight files: their data must be in the file, and of the stated size.

HDF5 has four kinds of references, which readers follow automatically: links to other files, links
by name, datasets whose bytes are in other files, and virtual datasets composed from other files.
Keras writes none of them, and follows some of them before 3.15.1.
"""

from __future__ import annotations

from typing import BinaryIO

import h5py

# Maximum number of objects in a file; the largest published networks have a few thousand.
LARGEST_COUNT = 200_000
# Datasets above this size must be in the file, allowing for the compression of ordinary weights.
FREE_BYTES = 1 << 24
LARGEST_RATIO = 100


class UnsafeFileError(ValueError):
    """A Keras file that could run code, read other files or exhaust the memory was rejected."""


def check_hdf5(file: str | BinaryIO, name: str) -> None:
    """Checks an HDF5 file without following references out of it.

    Args:
        file: the path, or the open file.
        name: what errors call it.

    Raises:
        UnsafeFileError: it is damaged, or has links by name or to other files, or datasets that
            are in other files, are virtual, hold anything but numbers, or are far larger than the
            file.
    """
    try:
        with h5py.File(file, "r") as opened:
            for key, dataset in _datasets(opened, name):
                _check_dataset(dataset, f"{name}: {key!r:.200}")
    except (OSError, RuntimeError, KeyError, TypeError, OverflowError) as error:
        raise UnsafeFileError(f"{name}: expected an HDF5 file of weights: {error}") from error


def _datasets(file, name):
    """Yields `(path, dataset)` of each dataset once."""
    visited, pending = {h5py.h5o.get_info(file.id).addr}, [file]
    while pending:
        group = pending.pop()
        for key in group:
            path = f"{group.name}/{key}".replace("//", "/")
            link = group.get(key, getlink=True)
            if type(link) is not h5py.HardLink:
                raise UnsafeFileError(
                    f"{name}: {path!r:.200} is a link to {_target(link)!r:.200}, expected a "
                    "group or dataset"
                )
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in visited:
                continue
            visited.add(address)
            if len(visited) > LARGEST_COUNT:
                raise UnsafeFileError(f"{name}: received more than {LARGEST_COUNT} objects")
            if isinstance(item, h5py.Group):
                pending.append(item)
            elif isinstance(item, h5py.Dataset):
                yield path, item


def _target(link):
    return ":".join(part for part in (getattr(link, "filename", ""), link.path) if part)


def _check_dataset(dataset, where):
    if dataset.is_virtual:
        files = ", ".join(sorted({source.file_name for source in dataset.virtual_sources()}))
        raise UnsafeFileError(f"{where} is a virtual dataset of {files:.200}, expected numbers")
    if dataset.external:
        files = ", ".join(str(part[0]) for part in dataset.external)
        raise UnsafeFileError(f"{where} is stored in {files:.200}, expected it in this file")
    # Numbers and booleans; "V" without fields is how bfloat16 is stored.
    if dataset.dtype.kind not in "biufcV" or dataset.dtype.fields:
        raise UnsafeFileError(f"{where} is of type {dataset.dtype}, expected numbers")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(FREE_BYTES, LARGEST_RATIO * stored):
        raise UnsafeFileError(
            f"{where} of shape {dataset.shape} takes {dataset.nbytes} bytes, of which {stored} are "
            "in the file"
        )
