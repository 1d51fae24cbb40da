"""Reads checkpoints of PyTorch, TensorFlow, Caffe2 and NumPy into arrays by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from keras_video.weights import (
    npz_file,
    pickled_file,
    safetensors_file,
    tensorflow_archive,
    tensorflow_file,
)
from keras_video.weights.pickle_vm import CheckpointError

__all__ = [
    "SUFFIXES",
    "CheckpointError",
    "is_checkpoint_name",
    "read_checkpoint",
    "read_settings",
]

PICKLED = (".pth", ".pt", ".pyth", ".pth.tar", ".bin", ".ckpt", ".pkl")
SUFFIXES = (
    *PICKLED,
    safetensors_file.SUFFIX,
    safetensors_file.INDEX_SUFFIX,
    npz_file.SUFFIX,
    tensorflow_file.INDEX_SUFFIX,
    *tensorflow_archive.SUFFIXES,
)


def is_checkpoint_name(path: str | os.PathLike) -> bool:
    """Whether `path` has a checkpoint suffix, or is the prefix of a TensorFlow checkpoint."""
    name = os.fspath(path)
    return name.lower().endswith(SUFFIXES) or tensorflow_file.find_prefix(Path(name)) is not None


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of a checkpoint.

    The container is determined by the file name:

    - `.safetensors`, and `.safetensors.index.json` for sharded ones;
    - `.npz`, arrays of NumPy;
    - a TensorFlow checkpoint: its `.index` file, its prefix, or a folder with a file `checkpoint`;
      or a `.tar.gz` archive of these; names are those of the object graph;
    - anything else is a file of `torch.save`, in the zip or the older format, or a pickle of NumPy
      arrays such as Caffe2's `.pkl`. It is never executed: the pickle in it can build tensors,
      numbers, strings and containers; any other name becomes an inert placeholder, which is
      rejected if a tensor of the network needs it.

    Tensors are read from the entry that holds the network (`state_dict`, `model_state`, `model`,
    `ema`, `blobs`, ...), which is logged, otherwise from the top-level dictionary. Names are
    unchanged. Optimizer and meta entries are skipped without being read.

    Args:
        path: the file, or the prefix of a TensorFlow checkpoint's files.

    Returns:
        Read-only arrays by name, in file order. Types are as stored, except bfloat16, which becomes
        float32. Arrays may share memory, as the tensors in the file do.

    Raises:
        CheckpointError: the file is damaged or of another format, or needs something that is not
            plain data; the message names it.
        ImportError: the container needs a package that is not installed.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    name = path.name.lower()
    try:
        if name.endswith(safetensors_file.INDEX_SUFFIX):
            return safetensors_file.read_sharded(path)
        if name.endswith(safetensors_file.SUFFIX):
            return safetensors_file.read_safetensors(path)
        if name.endswith(npz_file.SUFFIX):
            return npz_file.read_npz(path)
        if name.endswith(tensorflow_archive.SUFFIXES):
            return tensorflow_archive.read_archive(path)
        if (prefix := tensorflow_file.find_prefix(path)) is not None:
            return tensorflow_file.read_tensorflow(prefix)
        return pickled_file.read_pickled(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def read_settings(path: str | os.PathLike) -> list[str]:
    """The configurations that a PyTorch checkpoint stores as text.

    The SlowFast repository stores one as `cfg`, MMAction2 one in `meta`. For other containers,
    and files without such a text, the list is empty.

    Raises:
        CheckpointError, OSError: as `read_checkpoint`.
    """
    path = Path(path)
    other = (safetensors_file.SUFFIX, npz_file.SUFFIX, *tensorflow_archive.SUFFIXES, ".json")
    if path.name.lower().endswith(other) or tensorflow_file.find_prefix(path) is not None:
        return []
    try:
        return pickled_file.read_texts(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
