"""Trains a temporal adaptive network (TANet, arXiv:2005.06803), evaluates and saves it.

Without flags: ResNet-50 at 32 pixels on a small dataset of moving shapes, drawn
and encoded on first use.

    python recipes/train_tanet.py

A published row on lists of `path label` lines:

    python recipes/train_tanet.py --row tanet_r50_dense_1x1x8_100e_kinetics400_rgb \
        --init imagenet --train_list train.txt --val_list val.txt --data_root videos

TANet learns with TSM's parameter groups; the number of frames is part of its weights.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="tanet_r50_1x1x4_moving_shapes")


def main(_):
    run = begin(FLAGS, "TANet")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
