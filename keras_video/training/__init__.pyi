# Made by .ci/write_stubs.py.
# ruff: noqa: I001
from .adamw import AdamW as AdamW
from .averaging import AveragedWeights as AveragedWeights
from .callbacks import EpochSeed as EpochSeed
from .callbacks import LearningRateScaling as LearningRateScaling
from .callbacks import StopWhenDiverged as StopWhenDiverged
from .callbacks import training_callbacks as training_callbacks
from .divergence import DivergedError as DivergedError
from .early_stopping import StopWithoutProgress as StopWithoutProgress
from .evaluation import MultiViewEvaluation as MultiViewEvaluation
from .evaluation import evaluate_views as evaluate_views
from .evaluation import score_report as score_report
from .from_row import prepare_norms as prepare_norms
from .from_row import row_loss as row_loss
from .from_row import row_metrics as row_metrics
from .from_row import row_optimizer as row_optimizer
from .from_row import row_precise_norm as row_precise_norm
from .layer_depth import layer_depths as layer_depths
from .losses import BinaryCrossentropy as BinaryCrossentropy
from .losses import HVULoss as HVULoss
from .losses import SmoothedCrossentropy as SmoothedCrossentropy
from .losses import WeightedCrossentropy as WeightedCrossentropy
from .lr_find import RateCurve as RateCurve
from .lr_find import find_learning_rate as find_learning_rate
from .masked_autoencoder import MaskedAutoencoder as MaskedAutoencoder
from .metrics import MeanClassAccuracy as MeanClassAccuracy
from .metrics import confusion_matrix as confusion_matrix
from .metrics import cross_entropy as cross_entropy
from .metrics import mean_average_precision as mean_average_precision
from .metrics import mean_class_accuracy as mean_class_accuracy
from .metrics import mmit_mean_average_precision as mmit_mean_average_precision
from .metrics import top_k_accuracy as top_k_accuracy
from .multigrid import Grid as Grid
from .multigrid import long_cycle as long_cycle
from .multigrid import multigrid_rates as multigrid_rates
from .multigrid import short_cycle as short_cycle
from .multigrid_fit import fit_multigrid as fit_multigrid
from .optimizers import Multiplier as Multiplier
from .optimizers import SGD as SGD
from .optimizers import tsm_multipliers as tsm_multipliers
from .precise_bn import PreciseBatchNorm as PreciseBatchNorm
from .precise_bn import precise_statistics as precise_statistics
from .preparation import freeze_batch_norm as freeze_batch_norm
from .preparation import freeze_stages as freeze_stages
from .preparation import hold_statistics as hold_statistics
from .preparation import synchronize_batch_norm as synchronize_batch_norm
from .pretrain_run import pretrain as pretrain
from .pretrain_settings import PretrainSettings as PretrainSettings
from .records import BestCheckpoint as BestCheckpoint
from .records import EpochLog as EpochLog
from .records import read_log as read_log
from .results import write_results as write_results
from .resume import resume_callbacks as resume_callbacks
from .rmsprop import RMSprop as RMSprop
from .run import train as train
from .saving import save_model as save_model
from .schedules import CosineSchedule as CosineSchedule
from .schedules import ScaledSchedule as ScaledSchedule
from .schedules import StepSchedule as StepSchedule
from .schedules import Warmup as Warmup
from .settings import RunSettings as RunSettings

__all__ = [
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
    "PretrainSettings",
    "RMSprop",
    "RateCurve",
    "RunSettings",
    "SGD",
    "ScaledSchedule",
    "SmoothedCrossentropy",
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
    "pretrain",
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
    "train",
    "training_callbacks",
    "tsm_multipliers",
    "write_results",
]
