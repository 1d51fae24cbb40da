"""Action-recognition models for Keras 3: constructors, published weights, data, training."""

import importlib

from keras_video import startup as _startup

__version__ = "0.1.0"

__all__ = [
    "VideoModel",
    "applications",
    "classify",
    "data",
    "inference",
    "layers",
    "load",
    "load_model",
    "predict_video",
    "probes",
    "save_to_hub",
    "sharded",
    "training",
    "weights",
    "zoo",
]

_PACKAGES = ("applications", "data", "inference", "layers", "probes")
_PACKAGES += ("sharded", "training", "weights", "zoo")
_HOMES = {
    "VideoModel": "applications.model",
    "classify": "inference.classification",
    "load": "applications.loading",
    "load_model": "weights.keras_files",
    "predict_video": "inference.video",
    "save_to_hub": "applications.sharing",
}

_startup.prepare()


# Everything is imported on first use: importing Keras and its backend takes seconds.
def __getattr__(name):
    if name in _PACKAGES:
        return importlib.import_module(f"keras_video.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"keras_video.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'keras_video' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, "__version__"])
