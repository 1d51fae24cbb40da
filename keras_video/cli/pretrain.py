r"""Pretrains a model without labels, as a masked autoencoder.

An example row, on a small dataset that is generated on first use:

    keras-video pretrain --row videomae_8x2x1_moving_shapes --work_dir runs/pretraining
    keras-video train --row videomae_8x2x1_moving_shapes --weights runs/pretraining/encoder.keras

VideoMAE pretraining (arXiv:2203.12602) on a folder of videos:

    keras-video pretrain --row vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400 --videos videos

The row defines the encoder, the decoder, clip sampling and masking, the optimizer and the schedule.
The work folder then contains the log, `model.keras` (encoder and decoder) and `encoder.keras`, the
initial weights for fine-tuning. Repeat the command to resume an interrupted run.
"""

import dataclasses

from keras_video.training.pretrain_run import pretrain
from keras_video.training.pretrain_settings import PretrainSettings
from keras_video.training.settings import ON_ERROR

INTERRUPTED = "Stopped: repeat the command to resume from the last completed epoch."


def define(flags):
    flags.group("Model")
    flags.string("row", None, "zoo row that defines a masked pretraining", True)
    flags.string("weights", None, "initial weights: checkpoint of a masked autoencoder")
    flags.group("Data")
    flags.string(
        "videos", None, "folder of videos, or list of paths; the synthetic dataset if not given"
    )
    flags.string("data_root", None, "folder that the listed paths are relative to")
    flags.choice("on_error", "raise", ON_ERROR, "what to do with unreadable videos")
    flags.group("Training (overrides the row)")
    flags.integer("epochs", None, "number of epochs")
    flags.integer("batch_size", None, "global batch size, over all replicas")
    flags.number("learning_rate", None, "learning rate for the row's batch size; scaled for others")
    flags.integer("size", None, "crop size in pixels")
    flags.group("Run")
    flags.string("work_dir", None, "output folder; work_dirs/<row>_pretraining if not given")
    flags.switch("resume", True, "resume the run in the work folder, if there is one")
    flags.integer("seed", 0, "random seed of weights, shuffling, masks and augmentation")
    flags.switch("deterministic", False, "bitwise reproducible runs; slower")
    flags.switch("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 predictions")


def run(options, _):
    names = [field.name for field in dataclasses.fields(PretrainSettings)]
    pretrain(PretrainSettings(**{name: getattr(options, name) for name in names}))
