"""Reads TensorFlow checkpoints with TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_video.weights.pickle_vm import CheckpointError, printable

INDEX_SUFFIX = ".index"

# Training state besides the network's variables: optimizer slots, counters.
TRAINING = (".OPTIMIZER_SLOT", "save_counter/", "optimizer/", "global_step")


def find_prefix(path: Path) -> Path | None:
    """The prefix of a TensorFlow checkpoint's files, or `None` if `path` is not a checkpoint.

    Args:
        path: the `.index` file, the prefix itself, or a folder with a file `checkpoint` that names
            the latest checkpoint.
    """
    if path.name.endswith(INDEX_SUFFIX):
        return path.with_name(path.name.removesuffix(INDEX_SUFFIX)) if path.is_file() else None
    if path.is_dir():
        return _latest(path)
    return path if path.with_name(path.name + INDEX_SUFFIX).is_file() else None


def _latest(folder: Path) -> Path | None:
    if not (folder / "checkpoint").is_file():
        return None
    first = (folder / "checkpoint").read_text(encoding="utf-8", errors="replace").split("\n")[0]
    name = first.partition(":")[2].strip().strip('"')
    # The checkpoint may have been written elsewhere: its files are in this folder.
    return folder / Path(name).name if name else None


def read_tensorflow(prefix: Path) -> dict[str, np.ndarray]:
    """The variables of a checkpoint by key; for object-based checkpoints, keys of the object graph.

    Strings, such as the stored object graph, and optimizer state are skipped.

    Raises:
        CheckpointError: the files are damaged or incomplete.
        ImportError: TensorFlow is not installed.
    """
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        kinds = reader.get_variable_to_dtype_map()
        names = sorted(name for name in kinds if kinds[name] != tf.string)
        state = {
            name: reader.get_tensor(name)
            for name in names
            if not any(part in name for part in TRAINING)
        }
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"not a readable TensorFlow checkpoint: {printable(str(error))}"
        ) from None
    if not state:
        raise CheckpointError("found no variables")
    return {name: np.asarray(array) for name, array in state.items()}
