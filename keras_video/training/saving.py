"""Atomic saving of models: neither a full disk nor a kill leaves a truncated file."""

import contextlib
import io

from keras_video import atomic


def save_model(model, path):
    """Writes a ``.keras`` file atomically, see ``keras_video.atomic``, without the optimizer.

    The optimizer's state is as large as the weights, or twice as large, and a finished model does
    not need it: it is loaded uncompiled. The file is assembled in memory, which takes the size of
    the model again: if HDF5 cannot write to a full disk, it keeps its file open and crashes the
    process at exit.
    """
    with _uncompiled(model):
        content = _in_memory(model.save, ".keras")
    atomic.write_bytes(path, content)


def save_weights(model, path):
    """Writes a ``.weights.h5`` file atomically, as ``save_model`` does.

    Returns:
        The content of the file.
    """
    content = _in_memory(model.save_weights, ".weights.h5")
    atomic.write_bytes(path, content)
    return content


@contextlib.contextmanager
def _uncompiled(model):
    """The model without its optimizer, losses and metrics."""
    saved = {"optimizer": getattr(model, "optimizer", None), "compiled": model.compiled}
    model.optimizer, model.compiled = None, False
    try:
        yield
    finally:
        for name, value in saved.items():
            setattr(model, name, value)


class _Buffer(io.BytesIO):
    """An in-memory file with the suffix from which Keras determines the format."""

    def __init__(self, suffix):
        super().__init__()
        self.suffix = suffix

    def __str__(self):
        return f"memory{self.suffix}"


def _in_memory(save, suffix):
    buffer = _Buffer(suffix)
    save(buffer)
    return buffer.getbuffer()
