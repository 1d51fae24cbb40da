"""What `import keras_video` does at once, though it loads neither Keras nor TensorFlow."""

import importlib
import os
import sys
from pathlib import Path

from absl import logging

# Their classes are named in files of saved models.
_REGISTERING = ("applications", "layers", "training")
# Where a CPU has one of these, TensorFlow switches oneDNN on by itself.
_FAST_ANYWAY = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def prepare():
    """Sets how TensorFlow computes, and has saved models' classes registered with Keras."""
    _switch_on_onednn()
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(one, _AfterKeras) for one in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())


def _register():
    for name in _REGISTERING:
        importlib.import_module(f"keras_video.{name}")


class _AfterKeras:
    """A finder of modules that registers the package's classes when Keras has been imported.

    So `keras.models.load_model` knows them, whichever of the two packages comes first.
    """

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        others = (one for one in sys.meta_path if one is not self and hasattr(one, "find_spec"))
        spec = next(filter(None, (one.find_spec(name, path, target) for one in others)), None)
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


def _switch_on_onednn():
    """TensorFlow leaves oneDNN's convolutions off on older CPUs, though they are faster there too.

    It reads the variable when it is imported: what is set by hand, or imported before, stays.
    """
    too_late = "tensorflow" in sys.modules and "TF_ENABLE_ONEDNN_OPTS" not in os.environ
    if too_late and lacks_fast_instructions():
        logging.warning(
            "TensorFlow was imported before keras_video, too late to switch oneDNN on: this CPU "
            "has no AVX-512 VNNI, so convolutions are several times slower, some gradients over a "
            "hundred times. Import keras_video first, or set TF_ENABLE_ONEDNN_OPTS=1."
        )
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def lacks_fast_instructions(file="/proc/cpuinfo"):
    """Whether this is an x86 CPU on which TensorFlow leaves oneDNN off; False where unknown."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), None)
    return flags is not None and not _FAST_ANYWAY & set(flags.split())
