"""Saving models so that neither a full disk nor a kill tears a file."""

import contextlib
import io

from keras_video import atomic


def save_model(model, path):
    """Writes a ``.keras`` file atomically, see ``keras_video.atomic``, without the optimizer.

    Its state is as large as the weights, or twice as large, and a finished model has no use for it:
    it is loaded as one that is not compiled. The file is put together in memory, which takes once
    more the size of the model: HDF5 that cannot write to a full disk keeps its file open and
    crashes the process at its end.
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
    kept = {"optimizer": getattr(model, "optimizer", None), "compiled": model.compiled}
    model.optimizer, model.compiled = None, False
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(model, name, value)


class _Buffer(io.BytesIO):
    """A file in memory that Keras takes for one of the suffix by which it knows the format."""

    def __init__(self, suffix):
        super().__init__()
        self.suffix = suffix

    def __str__(self):
        return f"memory{self.suffix}"


def _in_memory(save, suffix):
    buffer = _Buffer(suffix)
    save(buffer)
    return buffer.getbuffer()
