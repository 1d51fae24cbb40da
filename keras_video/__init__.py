"""Action-recognition models for Keras 3: constructors, published weights, data, training parts."""

import importlib

# Imported at once, so that `keras.models.load_model` finds every registered class.
from keras_video import applications, layers, training, weights, zoo

__version__ = "0.1.0"

__all__ = ["applications", "data", "inference", "layers", "predict_video", "training", "weights"]
__all__ += ["zoo"]

# These need tensorflow's data code and the video decoder: loaded when first used.
LAZY = ("data", "inference")


def __getattr__(name):
    if name in LAZY:
        return importlib.import_module(f"keras_video.{name}")
    if name == "predict_video":
        return importlib.import_module("keras_video.inference").predict_video
    raise AttributeError(f"module 'keras_video' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
