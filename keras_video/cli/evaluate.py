r"""Evaluates a model on a list of videos under its test protocol.

The published weights of a row, your own checkpoint, or a `.keras` file:

    keras-video evaluate --row tsn_r50_1x1x8_100e_kinetics400_rgb \
        --list val.txt --data_root videos
    keras-video evaluate --row tsm_r50_1x1x8_50e_sthv1_rgb --weights epoch_50.pth \
        --list val.txt --data_root videos
    keras-video evaluate --model work_dirs/run/model.keras --list val.txt --data_root videos

The protocol is that of the row, which `.keras` files also store: clips and crops, score averaging,
and how many views fit into memory. The results folder then contains `metrics.json` (top-k and mean
class accuracy, or mean average precision), a per-class table, the confusion matrix as a table and a
plot, and `scores.npz`, which `keras-video fuse` can combine with the scores of other models.
"""

import dataclasses
from pathlib import Path

from absl import logging

from keras_video.cli.models import define_optimize_flag, log_optimization, row_id
from keras_video.inference.score_files import write_scores
from keras_video.training import write_results
from keras_video.training.list_evaluation import (
    EvaluationSettings,
    evaluate_list,
    evaluated_model,
    evaluation_protocol,
    names_of_classes,
)
from keras_video.training.metrics import cross_entropy
from keras_video.training.precision import use_half_precision
from keras_video.training.settings import SOURCES


def define(flags):
    flags.group("Model")
    flags.string("row", None, "zoo row that defines the model and the test protocol")
    flags.string("weights", None, "weights for the row; its published ones if not given")
    flags.string("model", None, "a .keras file, in place of a row")
    flags.switch("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 classifier")
    define_optimize_flag(flags)
    flags.group("Data")
    flags.string(
        "list", None, "list, class folders or shards; optional for models of the synthetic datasets"
    )
    flags.string("data_root", None, "folder that the listed paths are relative to")
    flags.choice(
        "source", "auto", SOURCES, "what the listed paths are; auto inspects the first line"
    )
    flags.string("class_names", None, "file with a class name per line")
    flags.choice("on_error", "raise", ["raise", "skip"], "what to do with unreadable videos")
    flags.group("Protocol")
    flags.integers(
        "views", "clips x crops, such as 10x3; those of the protocol if not given", 2, "x"
    )
    flags.integer("size", None, "crop size in pixels, in place of the protocol's", 32)
    flags.integer("batch_size", 1, "videos per batch", 1)
    flags.integer("max_views", None, "views per forward pass; chosen automatically if not given", 1)
    flags.group("Results")
    flags.string("work_dir", "work_dirs/evaluation", "folder for the results")


def run(options, _):
    logging.set_stderrthreshold("info")
    if options.mixed_precision:
        use_half_precision()
    names = (field.name for field in dataclasses.fields(EvaluationSettings))
    values = {name: getattr(options, name) for name in names}
    settings = EvaluationSettings(**{**values, "row": row_id(options.row)})
    log_optimization(options)
    model = evaluated_model(settings)
    result = evaluate_list(model, evaluation_protocol(model, settings), settings)
    names = names_of_classes(model, settings)

    folder = Path(options.work_dir)
    report = write_results(folder, result.scores, result.labels, names, listed=result.listed)
    loss = cross_entropy(result.scores, result.labels)
    write_scores(folder / "scores.npz", result.names, result.scores, result.labels, names)
    for name, value in {"loss": loss, **report}.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    print(f"Results are in {folder}")
