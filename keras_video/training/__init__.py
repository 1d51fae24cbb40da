"""What a training is given: optimiser, schedules, callbacks, metrics, preparation, results."""

from keras_video.training.callbacks import EpochSeed, LearningRateScaling, training_callbacks
from keras_video.training.evaluation import MultiViewEvaluation, evaluate_views, score_report
from keras_video.training.from_row import freeze_norms, row_loss, row_optimizer
from keras_video.training.metrics import (
    MeanClassAccuracy,
    confusion_matrix,
    mean_average_precision,
    mean_class_accuracy,
    mmit_mean_average_precision,
    top_k_accuracy,
)
from keras_video.training.multigrid import Grid, long_cycle, multigrid_rates, short_cycle
from keras_video.training.multigrid_fit import fit_multigrid
from keras_video.training.optimizers import SGD, Multiplier, tsm_multipliers
from keras_video.training.precise_bn import PreciseBatchNorm, precise_statistics
from keras_video.training.preparation import freeze_batch_norm, freeze_stages
from keras_video.training.records import BestCheckpoint, EpochLog, read_log
from keras_video.training.results import write_results
from keras_video.training.resume import resume_callbacks
from keras_video.training.schedules import CosineSchedule, ScaledSchedule, StepSchedule, Warmup

__all__ = [
    "SGD",
    "BestCheckpoint",
    "CosineSchedule",
    "EpochLog",
    "EpochSeed",
    "Grid",
    "LearningRateScaling",
    "MeanClassAccuracy",
    "MultiViewEvaluation",
    "Multiplier",
    "PreciseBatchNorm",
    "ScaledSchedule",
    "StepSchedule",
    "Warmup",
    "confusion_matrix",
    "evaluate_views",
    "fit_multigrid",
    "freeze_batch_norm",
    "freeze_norms",
    "freeze_stages",
    "long_cycle",
    "mean_average_precision",
    "mean_class_accuracy",
    "mmit_mean_average_precision",
    "multigrid_rates",
    "precise_statistics",
    "read_log",
    "resume_callbacks",
    "row_loss",
    "row_optimizer",
    "score_report",
    "short_cycle",
    "top_k_accuracy",
    "training_callbacks",
    "tsm_multipliers",
    "write_results",
]
