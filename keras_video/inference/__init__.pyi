# Made by .ci/write_stubs.py.
# ruff: noqa: I001
from .agreement import Agreement as Agreement
from .agreement import compare_exported as compare_exported
from .attribution import attention_rollout as attention_rollout
from .attribution import gradcam as gradcam
from .audio import predict_audio as predict_audio
from .audio import predict_audiovisual as predict_audiovisual
from .classification import ScoredLabel as ScoredLabel
from .classification import classify as classify
from .contact_sheets import contact_sheet as contact_sheet
from .drawing import draw_scores as draw_scores
from .export import EXPORT_FORMATS as EXPORT_FORMATS
from .export import export_model as export_model
from .exported import load_exported as load_exported
from .exported import read_metadata as read_metadata
from .feature_windows import WindowFeatures as WindowFeatures
from .feature_windows import window_features as window_features
from .features import feature_model as feature_model
from .flops import count_flops as count_flops
from .folding import fold_batch_norm as fold_batch_norm
from .freezing import compile_frozen as compile_frozen
from .live import LiveModel as LiveModel
from .live import live_scores as live_scores
from .optimizing import optimize as optimize
from .shard_files import read_shards as read_shards
from .shards import feature_shards as feature_shards
from .shards import predict_shards as predict_shards
from .sliding_window import WindowScores as WindowScores
from .sliding_window import predict_windows as predict_windows
from .span_detection import detect_spans as detect_spans
from .span_drawing import draw_span_timeline as draw_span_timeline
from .span_drawing import draw_spans as draw_spans
from .span_files import write_span_file as write_span_file
from .span_finding import SpanSettings as SpanSettings
from .span_finding import spans as spans
from .stream import Stream as Stream
from .stream_files import export_stream as export_stream
from .stream_files import load_exported_stream as load_exported_stream
from .streamed_video import StreamScores as StreamScores
from .streamed_video import stream_video as stream_video
from .uploads import upload_page as upload_page
from .video import predict_video as predict_video
from .views import logits_model as logits_model
from .views import predict_views as predict_views
from .winograd import winograd_model as winograd_model

__all__ = [
    "Agreement",
    "EXPORT_FORMATS",
    "LiveModel",
    "ScoredLabel",
    "SpanSettings",
    "Stream",
    "StreamScores",
    "WindowFeatures",
    "WindowScores",
    "attention_rollout",
    "classify",
    "compare_exported",
    "compile_frozen",
    "contact_sheet",
    "count_flops",
    "detect_spans",
    "draw_scores",
    "draw_span_timeline",
    "draw_spans",
    "export_model",
    "export_stream",
    "feature_model",
    "feature_shards",
    "fold_batch_norm",
    "gradcam",
    "live_scores",
    "load_exported",
    "load_exported_stream",
    "logits_model",
    "optimize",
    "predict_audio",
    "predict_audiovisual",
    "predict_shards",
    "predict_video",
    "predict_views",
    "predict_windows",
    "read_metadata",
    "read_shards",
    "spans",
    "stream_video",
    "upload_page",
    "window_features",
    "winograd_model",
    "write_span_file",
]
