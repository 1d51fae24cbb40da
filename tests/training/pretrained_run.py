"""Pretraining in a separate process: `pretrained_run.py FOLDER VIDEOS [KILL_AT]`.

It kills itself with SIGKILL in epoch KILL_AT, counted from 0. At the end it writes all weights to
FOLDER/final.npz.
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

from keras_video import zoo
from keras_video.training import PretrainSettings, pretrain, pretrain_run


class Kill(keras.callbacks.Callback):
    """Kills the process in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.kill_at, self.epoch = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, videos, kill_at=None):
    row = zoo.row("x_videomae")
    arguments = {**row.arguments, "embed_dim": 24, "num_layers": 2, "mlp_dim": 48}
    row = dataclasses.replace(row, arguments=arguments)
    zoo.row = lambda name: row
    if kill_at is not None:
        real = pretrain_run.training_callbacks

        def callbacks(*arguments, **options):
            return [*real(*arguments, **options), Kill(int(kill_at))]

        pretrain_run.training_callbacks = callbacks
    settings = PretrainSettings(
        "x_videomae", videos, work_dir=folder, epochs=4, batch_size=2, deterministic=True
    )
    pretrain(settings)
    model = keras.models.load_model(Path(folder, "model.keras"))
    np.savez(Path(folder, "final.npz"), *(np.array(weight) for weight in model.weights))


if __name__ == "__main__":
    main(*sys.argv[1:])
