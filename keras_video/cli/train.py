r"""Trains the network of a row of the zoo, evaluates it and saves it.

A row of kind "example" on a small dataset that is drawn on first use:

    keras-video train --row tsn_r18_1x1x4_moving_shapes

Your own clips, in a folder with a sub-folder for each class, up to a file for ONNX Runtime:

    keras-video train --row tsn_r50_1x1x8_100e_kinetics400_rgb --weights kinetics400 \
        --data clips --epochs 10 --batch_size 8 --export onnx --work_dir runs/clips

A published row on lists of `path label` lines:

    keras-video train --row tsn_r50_1x1x8_100e_kinetics400_rgb --weights imagenet \
        --train_list train.txt --val_list val.txt --data_root videos --work_dir runs/tsn

The row states the network, how clips are made, the losses, norms, optimizer and schedule, and the
test protocol. The work folder then holds the log, `model.keras`, `metrics.json`, curves and a
confusion matrix. A run that was stopped goes on when the same command is given again; it does not
under other settings. Started with TF_CONFIG on several machines, they share every batch.
"""

from keras_video.cli.run_settings import define_data_flags, run_settings
from keras_video.training.run import train
from keras_video.training.settings import FORMATS

INTERRUPTED = "Stopped: run again to go on from the last epoch that was completed."


def define(flags):
    flags.group("What is trained")
    flags.string("row", None, "row of the zoo: its network, data settings and training", True)
    flags.string(
        "weights", None, "to start from: initial (the row's), imagenet, a dataset, a row, a file"
    )
    define_data_flags(flags)
    flags.words("joint_lists", [], "annotation files of a joint training's other sources")
    flags.words("joint_roots", [], "folders that their paths are relative to")
    flags.group("Training, in place of what the row states")
    flags.integer("epochs", None, "length of the training")
    flags.integer("batch_size", None, "videos of a step over all replicas")
    flags.switch("drop_remainder", True, "leave out the last batch of an epoch where it is smaller")
    flags.integer("accumulate", None, "steps whose gradients are added up (one replica)")
    flags.number("learning_rate", None, "rate for the row's own batch size")
    flags.switch("small_data", False, "regularize for 50 to 3,000 clips; what changes is printed")
    flags.integer("size", None, "side of the crops in pixels")
    flags.integer("early_stopping", None, "epochs without a better evaluation to stop after")
    flags.number("ema", None, "evaluate and keep an average of the weights: its momentum")
    flags.group("Evaluation")
    flags.switch("validate", True, "evaluate during the training, not only at its end")
    flags.integers("views", "clips x crops, as 10x3", 2, "x")
    flags.integer("eval_batch_size", 4, "videos that are evaluated at once")
    flags.group("The run")
    flags.string("work_dir", None, "folder of the run; work_dirs/<id of the row> if not given")
    flags.switch("resume", True, "go on with the run that the folder holds, if there is one")
    flags.integer("seed", 0, "of weights, order and random draws")
    flags.switch("deterministic", False, "the same bits in every run of as many workers; slower")
    flags.switch("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 classifier")
    flags.words("export", [], f"formats to write the trained model in: {', '.join(FORMATS)}")
    flags.switch("lr_find", False, "draw the loss over the rate, suggest one, train nothing")
    flags.switch("dry_run", False, "one step on noise in the row's shapes; leaves nothing")


def run(options, _):
    train(run_settings(options))
