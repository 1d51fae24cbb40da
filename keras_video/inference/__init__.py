"""Scores from a trained model: views and their average, one video file; exported models."""

import importlib

import keras  # noqa: F401  (before the modules below, which its import may load)

from keras_video.inference.attribution import attention_rollout, gradcam
from keras_video.inference.flops import count_flops
from keras_video.inference.folding import fold_batch_norm
from keras_video.inference.freezing import compile_frozen
from keras_video.inference.optimizing import optimize
from keras_video.inference.stream import Stream
from keras_video.inference.views import logits_model, predict_views
from keras_video.inference.winograd import winograd_model

# Loaded when first used: they need tensorflow or the video decoder, the views do not.
LAZY = {
    "Agreement": "agreement",
    "LiveModel": "live",
    "WindowScores": "sliding_window",
    "ScoredLabel": "classification",
    "contact_sheet": "contact_sheets",
    "classify": "classification",
    "compare_exported": "agreement",
    "draw_scores": "drawing",
    "predict_windows": "sliding_window",
    "EXPORT_FORMATS": "export",
    "export_model": "export",
    "export_stream": "stream_files",
    "feature_model": "features",
    "feature_shards": "shards",
    "live_scores": "live",
    "load_exported": "exported",
    "load_exported_stream": "stream_files",
    "predict_audio": "audio",
    "predict_audiovisual": "audio",
    "predict_shards": "shards",
    "predict_video": "video",
    "read_metadata": "exported",
    "StreamScores": "streamed_video",
    "stream_video": "streamed_video",
    "read_shards": "shard_files",
    "upload_page": "uploads",
    "SpanSettings": "span_finding",
    "WindowFeatures": "feature_windows",
    "detect_spans": "span_detection",
    "window_features": "feature_windows",
    "draw_span_timeline": "span_drawing",
    "draw_spans": "span_drawing",
    "write_span_file": "span_files",
    "spans": "span_finding",
}

__all__ = [
    "Stream",
    "attention_rollout",
    "count_flops",
    "fold_batch_norm",
    "compile_frozen",
    "gradcam",
    "logits_model",
    "optimize",
]
__all__ += ["predict_views", "winograd_model", *LAZY]


def __getattr__(name):
    if name in LAZY:
        return getattr(importlib.import_module(f"keras_video.inference.{LAZY[name]}"), name)
    raise AttributeError(f"module 'keras_video.inference' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
