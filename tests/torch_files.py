"""Writes checkpoints in the zip format of `torch.save`, without PyTorch."""

import collections
import io
import pickle
import sys
import types
import zipfile
from unittest import mock

import numpy as np

STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}


def save_checkpoint(path, state, nest="state_dict"):
    """Writes `{name: array}` nested as in MMAction2, or without nesting for `nest=None`."""
    tree = collections.OrderedDict(state)
    if nest is not None:
        tree = {"meta": {"epoch": 1, "CLASSES": None}, nest: tree}
    save_tree(path, tree)


def save_tree(path, tree):
    """Writes any object; its NumPy arrays become tensors."""
    arrays = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled(tree, arrays))
        archive.writestr("archive/byteorder", "little")
        for key, array in enumerate(arrays):
            archive.writestr(f"archive/data/{key}", np.ascontiguousarray(array).tobytes())
        archive.writestr("archive/version", "3\n")


def pickled(tree, arrays):
    """The pickle of `tree`; its arrays are appended to the list `arrays`."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is written")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils",
        "_rebuild_tensor_v2",
    )
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    class Storage:
        def __init__(self, array):
            self.kind, self.size = getattr(torch, STORAGES[array.dtype.name]), array.size
            self.key = str(len(arrays))
            arrays.append(array)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return ("storage", value.kind, value.key, "cpu", value.size)
            return None

        def reducer_override(self, value):
            if not isinstance(value, np.ndarray):
                return NotImplemented
            strides = tuple(
                int(np.prod(value.shape[axis + 1 :], dtype=int)) for axis in range(value.ndim)
            )
            hooks = collections.OrderedDict()
            return _rebuild_tensor_v2, (Storage(value), 0, value.shape, strides, False, hooks)

    buffer = io.BytesIO()
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        Pickler(buffer, protocol=2).dump(tree)
    return buffer.getvalue()
