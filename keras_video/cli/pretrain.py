r"""Pretrains the network of a row by hiding most of every clip, without labels.

A row of kind "example" on a small dataset that is drawn on first use:

    keras-video pretrain --row videomae_8x2x1_moving_shapes --work_dir runs/pretraining
    keras-video train --row videomae_8x2x1_moving_shapes --weights runs/pretraining/encoder.keras

The pretraining of VideoMAE (arXiv:2203.12602) on the videos of a folder:

    keras-video pretrain --row vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400 --videos videos

The row states the network, its decoder, how clips and masks are made, the optimizer and the
schedule. The work folder then holds the log, `model.keras` (encoder and decoder) and
`encoder.keras`, which a training starts from. A run that was stopped goes on when the same command
is given again.
"""

import dataclasses

from keras_video.training.pretrain_run import pretrain
from keras_video.training.pretrain_settings import PretrainSettings
from keras_video.training.settings import ON_ERROR

INTERRUPTED = "Stopped. The same command goes on from the last epoch."


def define(flags):
    flags.group("What is trained")
    flags.string("row", None, "row of the zoo that states a masked pretraining", True)
    flags.string("weights", None, "checkpoint of a masked autoencoder to start from")
    flags.group("Data")
    flags.string("videos", None, "folder of videos, or list of paths; embedded ones if not given")
    flags.string("data_root", None, "folder that the paths of the list are relative to")
    flags.choice("on_error", "raise", ON_ERROR, "for videos that cannot be read")
    flags.group("Training, in place of what the row states")
    flags.integer("epochs", None, "length of the training")
    flags.integer("batch_size", None, "videos of a step over all replicas")
    flags.number("learning_rate", None, "rate for the row's own batch size")
    flags.integer("size", None, "side of the crops in pixels")
    flags.group("The run")
    flags.string("work_dir", None, "folder of the run; work_dirs/<row>_pretraining if not given")
    flags.switch("resume", True, "go on with the run that the folder holds, if there is one")
    flags.integer("seed", 0, "of weights, order, masks and random draws")
    flags.switch("deterministic", False, "the same bits in every run; slower")
    flags.switch("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 predictions")


def run(options, _):
    names = [field.name for field in dataclasses.fields(PretrainSettings)]
    pretrain(PretrainSettings(**{name: getattr(options, name) for name in names}))
