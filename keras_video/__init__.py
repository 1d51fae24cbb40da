"""Action-recognition models for Keras 3: constructors, published weights, data, training parts."""

import importlib

__version__ = "0.1.0"

# Loaded when first used, so that `import keras_video` stays light.
ROOMS = ("applications", "data", "inference", "layers", "training", "weights", "zoo")


def __getattr__(name):
    if name in ROOMS:
        return importlib.import_module(f"keras_video.{name}")
    if name == "predict_video":
        return importlib.import_module("keras_video.inference").predict_video
    raise AttributeError(f"module 'keras_video' has no attribute {name!r}")


def __dir__():
    return [*globals(), *ROOMS, "predict_video"]
