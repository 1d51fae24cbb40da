"""Setup done by `import keras_video`, without importing Keras or TensorFlow."""

import importlib
import os
import sys
from pathlib import Path

from absl import logging

# Saved models refer to the classes of these packages.
_REGISTERING = ("applications", "layers", "training")
# CPU features with which TensorFlow enables oneDNN on its own.
_ONEDNN_FLAGS = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def prepare():
    """Enables oneDNN, and registers the classes of saved models with Keras."""
    _enable_onednn()
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())


def _register():
    for name in _REGISTERING:
        importlib.import_module(f"keras_video.{name}")


class _AfterKeras:
    """An import hook that registers the package's classes once Keras has been imported.

    `keras.models.load_model` then knows them, whichever of the two packages is imported first.
    """

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        finders = (
            finder
            for finder in sys.meta_path
            if finder is not self and hasattr(finder, "find_spec")
        )
        specs = (finder.find_spec(name, path, target) for finder in finders)
        spec = next(filter(None, specs), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module):
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            execute(module)
            _register()

        spec.loader.exec_module = execute_and_register
        return spec


def _enable_onednn():
    """Enables oneDNN's convolutions, disabled by TensorFlow on older CPUs though they are faster.

    TensorFlow reads the variable on import; a value that the user has set is kept.
    """
    too_late = "tensorflow" in sys.modules and "TF_ENABLE_ONEDNN_OPTS" not in os.environ
    if too_late and lacks_fast_instructions():
        logging.warning(
            "TensorFlow was imported before keras_video, too late to enable oneDNN: this CPU "
            "has no AVX-512 VNNI, so convolutions are several times slower, some gradients over a "
            "hundred times. Import keras_video first, or set TF_ENABLE_ONEDNN_OPTS=1."
        )
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def lacks_fast_instructions(file="/proc/cpuinfo"):
    """Whether this is an x86 CPU on which TensorFlow disables oneDNN; False if unknown."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), None)
    return flags is not None and not _ONEDNN_FLAGS & set(flags.split())
