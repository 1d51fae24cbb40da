"""The published rows as data: architecture, input, training and testing of each model.

    row = keras_video.zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    model = row.model(weights=True)

`zoo.table(dataset="kinetics400", sort="top1")` and `keras-video zoo` list them,
`zoo.search("*tsm*r50*")` finds rows by name.
"""

from keras_video.zoo.building import initial_model
from keras_video.zoo.catalog import families, row, rows, search
from keras_video.zoo.clip_settings import (
    Audio,
    AugMix,
    ColorJitter,
    Crop,
    Normalize,
    Phases,
    RandAugment,
    RandomErasing,
    Sampling,
    Spatial,
    Views,
)
from keras_video.zoo.labels import label_map
from keras_video.zoo.listing import table
from keras_video.zoo.overrides import other_views, pretrained, resized, trainable, with_views
from keras_video.zoo.protocol import Protocol
from keras_video.zoo.published import Checkpoint, Fusion, Reported, Result
from keras_video.zoo.small_data import for_small_data
from keras_video.zoo.training_settings import (
    InitialWeights,
    JointSource,
    Loss,
    Multigrid,
    Norm,
    Optimizer,
    PreciseNorm,
    Pretraining,
    Schedule,
    Source,
)
from keras_video.zoo.zoo_row import KINDS, TASKS, Row

__all__ = [
    "KINDS",
    "TASKS",
    "Audio",
    "AugMix",
    "Checkpoint",
    "ColorJitter",
    "Crop",
    "Fusion",
    "JointSource",
    "Loss",
    "Multigrid",
    "Norm",
    "Normalize",
    "Optimizer",
    "Phases",
    "PreciseNorm",
    "Pretraining",
    "Protocol",
    "RandAugment",
    "RandomErasing",
    "Reported",
    "Result",
    "Row",
    "Sampling",
    "Schedule",
    "Source",
    "Spatial",
    "InitialWeights",
    "Views",
    "families",
    "for_small_data",
    "label_map",
    "other_views",
    "pretrained",
    "resized",
    "row",
    "rows",
    "search",
    "initial_model",
    "table",
    "trainable",
    "with_views",
]
