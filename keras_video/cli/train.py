r"""Trains the model of a zoo row, evaluates it and saves it.

An example row, on a small synthetic dataset that is generated on first use:

    keras-video train --row tsn_r18_1x1x4_moving_shapes

Fine-tuning on your own clips, in a folder with a sub-folder for each class, with export to ONNX:

    keras-video train --row tsn_r50_1x1x8_100e_kinetics400_rgb --weights kinetics400 \
        --data clips --epochs 10 --batch_size 8 --export onnx --work_dir runs/clips

A published row on lists of `path label` lines:

    keras-video train --row tsn_r50_1x1x8_100e_kinetics400_rgb --weights imagenet \
        --train_list train.txt --val_list val.txt --data_root videos --work_dir runs/tsn

The row defines the model, the data pipeline, losses, normalization layers, optimizer, schedule and
test protocol. The work folder then contains the log, `model.keras`, `metrics.json`, training curves
and a confusion matrix. Repeat the command to resume an interrupted run; changed settings are an
error. Several machines started with TF_CONFIG train together, each on a part of every batch.
"""

from keras_video.cli.run_settings import define_data_flags, run_settings
from keras_video.training.run import train
from keras_video.training.settings import FORMATS

INTERRUPTED = "Stopped: run again to resume from the last completed epoch."


def define(flags):
    flags.group("Model")
    flags.string(
        "row", None, "zoo row that defines the model, the data pipeline and the training", True
    )
    flags.string(
        "weights",
        None,
        "initial weights: initial (the row's), imagenet, a dataset, a row or a file",
    )
    define_data_flags(flags)
    flags.words("joint_lists", [], "annotation files of further sources, for joint training")
    flags.words("joint_roots", [], "folders that the paths in --joint_lists are relative to")
    flags.group("Training (overrides the row)")
    flags.integer("epochs", None, "number of epochs")
    flags.integer("batch_size", None, "global batch size, over all replicas")
    flags.switch("drop_remainder", True, "drop the last batch of an epoch if it is smaller")
    flags.integer("accumulate", None, "gradient accumulation steps (single replica only)")
    flags.number("learning_rate", None, "learning rate for the row's batch size; scaled for others")
    flags.switch(
        "small_data", False, "regularize for 50 to 3,000 clips; prints the changes to the row"
    )
    flags.integer("size", None, "crop size in pixels")
    flags.integer("early_stopping", None, "stop after this many epochs without improvement")
    flags.number("ema", None, "momentum of a moving average of the weights, to evaluate and save")
    flags.group("Evaluation")
    flags.switch("validate", True, "evaluate during training, not only at the end")
    flags.integers("views", "test views as clips x crops, such as 10x3", 2, "x")
    flags.integer("eval_batch_size", 4, "videos per evaluation batch")
    flags.group("Run")
    flags.string("work_dir", None, "output folder; work_dirs/<row id> if not given")
    flags.switch("resume", True, "resume the run in the work folder, if there is one")
    flags.integer("seed", 0, "random seed of weights, shuffling and augmentation")
    flags.switch(
        "deterministic", False, "bitwise reproducible with the same number of workers; slower"
    )
    flags.switch("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 classifier")
    flags.words("export", [], f"formats to export the trained model to: {', '.join(FORMATS)}")
    flags.switch(
        "lr_find", False, "plot loss over learning rate and suggest a rate, without training"
    )
    flags.switch("dry_run", False, "run one step on noise in the row's shapes; writes no files")


def run(options, _):
    train(run_settings(options))
