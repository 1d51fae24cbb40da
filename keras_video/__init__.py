"""Action-recognition models for Keras 3: constructors, published weights, data, training parts."""

import importlib
import os
import sys

from absl import logging

# TensorFlow leaves oneDNN's convolutions off on CPUs without AVX-512, though they are faster there
# too. It reads this when it is imported: what is set by hand, or imported before, stays.
if "tensorflow" in sys.modules and "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
    logging.warning(
        "TensorFlow was imported before keras_video, too late to switch oneDNN on: on a CPU "
        "without AVX-512 convolutions are several times slower, some gradients over a hundred "
        "times. Import keras_video first, or set TF_ENABLE_ONEDNN_OPTS=1."
    )
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Imported at once, so that `keras.models.load_model` finds every registered class.
from keras_video import applications, layers, training, weights, zoo  # noqa: E402
from keras_video.applications.loading import load  # noqa: E402
from keras_video.applications.sharing import save_to_hub  # noqa: E402

__version__ = "0.1.0"

__all__ = ["applications", "data", "inference", "layers", "load", "predict_video", "save_to_hub"]
__all__ += ["training", "weights", "zoo"]

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
