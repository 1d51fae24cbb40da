"""Scores from a trained model: views and their average, one video file."""

import importlib

from keras_video.inference.folding import fold_batch_norm
from keras_video.inference.stream import Stream
from keras_video.inference.views import logits_model, predict_views

__all__ = ["Stream", "fold_batch_norm", "logits_model", "predict_video", "predict_views"]


def __getattr__(name):
    # Loaded when first used: it needs tensorflow and the video decoder, the views do not.
    if name == "predict_video":
        return importlib.import_module("keras_video.inference.video").predict_video
    raise AttributeError(f"module 'keras_video.inference' has no attribute {name!r}")
