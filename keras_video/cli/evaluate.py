r"""Evaluates a model on a list of videos under its test protocol.

The published weights of a row, a checkpoint of one's own, or a `.keras` file:

    keras-video evaluate --row tsn_r50_1x1x8_100e_kinetics400_rgb \
        --list val.txt --data_root videos
    keras-video evaluate --row tsm_r50_1x1x8_50e_sthv1_rgb --weights epoch_50.pth \
        --list val.txt --data_root videos
    keras-video evaluate --model work_dirs/run/model.keras --list val.txt --data_root videos

The protocol is the row's, which `.keras` files carry with them: clips and crops, how scores are
averaged, how many views fit into memory at once. The results folder then holds `metrics.json`
(top-k, mean class accuracy, or mean average precisions), a table per class, the confusion matrix
as table and picture, and `scores.npz` to be fused with other models' by `keras-video fuse`.
"""

import dataclasses
from pathlib import Path

from absl import logging

from keras_video.cli.models import define_optimize_flag, row_id, tell_optimized
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
    flags.string("row", None, "row of the zoo: its model and test protocol")
    flags.string("weights", None, "of the row; its published ones if not given")
    flags.string("model", None, "a .keras file instead of a row")
    flags.switch("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 classifier")
    define_optimize_flag(flags)
    flags.group("Data")
    flags.string(
        "list", None, "list, class folders or shards; of embedded datasets' models their own"
    )
    flags.string("data_root", None, "folder that the paths of the list are relative to")
    flags.choice("source", "auto", SOURCES, "what lists name; auto looks at the first line")
    flags.string("class_names", None, "file with a class name per line")
    flags.choice("on_error", "raise", ["raise", "skip"], "for unreadable videos")
    flags.group("Protocol")
    flags.integers("views", "clips x crops, as 10x3; else those of the protocol", 2, "x")
    flags.integer("size", None, "side of the crops in pixels instead of the protocol's", 32)
    flags.integer("batch_size", 1, "videos read at once", 1)
    flags.integer("max_views", None, "views in the network at once; found if not given", 1)
    flags.group("Results")
    flags.string("work_dir", "work_dirs/evaluation", "folder of the results")


def run(options, _):
    logging.set_stderrthreshold("info")
    if options.mixed_precision:
        use_half_precision()
    names = (field.name for field in dataclasses.fields(EvaluationSettings))
    values = {name: getattr(options, name) for name in names}
    settings = EvaluationSettings(**{**values, "row": row_id(options.row)})
    tell_optimized(options)
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
