"""Training utilities: optimizers, schedules, callbacks, losses, metrics, and training runs."""

import importlib

import keras  # noqa: F401  (before the modules below, which its import may load)

from keras_video.training.adamw import AdamW
from keras_video.training.averaging import AveragedWeights
from keras_video.training.callbacks import (
    EpochSeed,
    LearningRateScaling,
    StopWhenDiverged,
    training_callbacks,
)
from keras_video.training.divergence import DivergedError
from keras_video.training.early_stopping import StopWithoutProgress
from keras_video.training.evaluation import MultiViewEvaluation, evaluate_views, score_report
from keras_video.training.from_row import (
    prepare_norms,
    row_loss,
    row_metrics,
    row_optimizer,
    row_precise_norm,
)
from keras_video.training.layer_depth import layer_depths
from keras_video.training.losses import (
    BinaryCrossentropy,
    HVULoss,
    SmoothedCrossentropy,
    WeightedCrossentropy,
)
from keras_video.training.lr_find import RateCurve, find_learning_rate
from keras_video.training.masked_autoencoder import MaskedAutoencoder
from keras_video.training.metrics import (
    MeanClassAccuracy,
    confusion_matrix,
    cross_entropy,
    mean_average_precision,
    mean_class_accuracy,
    mmit_mean_average_precision,
    top_k_accuracy,
)
from keras_video.training.multigrid import Grid, long_cycle, multigrid_rates, short_cycle
from keras_video.training.multigrid_fit import fit_multigrid
from keras_video.training.optimizers import SGD, Multiplier, tsm_multipliers
from keras_video.training.precise_bn import PreciseBatchNorm, precise_statistics
from keras_video.training.preparation import (
    freeze_batch_norm,
    freeze_stages,
    hold_statistics,
    synchronize_batch_norm,
)
from keras_video.training.records import BestCheckpoint, EpochLog, read_log
from keras_video.training.results import write_results
from keras_video.training.resume import resume_callbacks
from keras_video.training.rmsprop import RMSprop
from keras_video.training.saving import save_model
from keras_video.training.schedules import CosineSchedule, ScaledSchedule, StepSchedule, Warmup
from keras_video.training.span_losses import SpanFocalLoss, SpanIoULoss

# Imported on first use: these modules import the data code.
LAZY = {
    "SpanSequences": "span_sequences",
    "span_targets": "span_labels",
    "fit_span_settings": "span_fitting",
    "SpanPrecision": "span_metrics",
    "frame_mean_average_precision": "span_metrics",
    "segment_f1": "span_metrics",
    "span_mean_average_precision": "span_metrics",
    "spotting_average_precision": "span_metrics",
    "PretrainSettings": "pretrain_settings",
    "RunSettings": "settings",
    "pretrain": "pretrain_run",
    "train": "run",
}

__all__ = [
    "SGD",
    "AdamW",
    "AveragedWeights",
    "BestCheckpoint",
    "BinaryCrossentropy",
    "CosineSchedule",
    "DivergedError",
    "EpochLog",
    "EpochSeed",
    "Grid",
    "HVULoss",
    "LearningRateScaling",
    "MaskedAutoencoder",
    "MeanClassAccuracy",
    "MultiViewEvaluation",
    "Multiplier",
    "PreciseBatchNorm",
    "RMSprop",
    "RateCurve",
    "ScaledSchedule",
    "SmoothedCrossentropy",
    "SpanFocalLoss",
    "SpanIoULoss",
    "StepSchedule",
    "StopWhenDiverged",
    "StopWithoutProgress",
    "Warmup",
    "WeightedCrossentropy",
    "confusion_matrix",
    "cross_entropy",
    "evaluate_views",
    "find_learning_rate",
    "fit_multigrid",
    "freeze_batch_norm",
    "freeze_stages",
    "hold_statistics",
    "layer_depths",
    "long_cycle",
    "mean_average_precision",
    "mean_class_accuracy",
    "mmit_mean_average_precision",
    "multigrid_rates",
    "precise_statistics",
    "prepare_norms",
    "read_log",
    "resume_callbacks",
    "row_loss",
    "row_metrics",
    "row_optimizer",
    "row_precise_norm",
    "save_model",
    "score_report",
    "short_cycle",
    "synchronize_batch_norm",
    "top_k_accuracy",
    "training_callbacks",
    "tsm_multipliers",
    "write_results",
]
__all__ += list(LAZY)


def __getattr__(name):
    if name in LAZY:
        return getattr(importlib.import_module(f"keras_video.training.{LAZY[name]}"), name)
    raise AttributeError(f"module 'keras_video.training' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
