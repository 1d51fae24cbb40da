"""Trains R(2+1)D (arXiv:1711.11248) from nothing, evaluates and saves it.

Without flags: R(2+1)D-18 on a small dataset of moving shapes, drawn and encoded on first use;
the classes are directions of motion.

    python recipes/train_r2plus1d.py

A published row on lists of `path label` lines:

    python recipes/train_r2plus1d.py --row r2plus1d_r34_8x8x1_180e_kinetics400_rgb \
        --train_list train.txt --val_list val.txt --data_root videos

Batch norms share their statistics over all devices, as the published training did.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="r2plus1d_r18_8x2x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "R2Plus1D", task="order")
    train, test = run.datasets()
    with run.scope():
        model = training.prepare_norms(run.model(), run.row)
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
