"""Saving models so that neither a full disk nor a kill tears a file."""

import io

from keras_video import atomic


def save_model(model, path):
    """Writes a ``.keras`` file atomically, see ``keras_video.atomic``.

    The file is put together in memory, which takes once more the size of the model: HDF5 that
    cannot write to a full disk keeps its file open and crashes the process at its end.
    """
    atomic.write_bytes(path, _in_memory(model.save, ".keras"))


def save_weights(model, path):
    """Writes a ``.weights.h5`` file atomically, as ``save_model`` does.

    Returns:
        The content of the file.
    """
    content = _in_memory(model.save_weights, ".weights.h5")
    atomic.write_bytes(path, content)
    return content


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
