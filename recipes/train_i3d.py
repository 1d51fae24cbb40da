"""Trains I3D (arXiv:1705.07750), with or without non-local blocks, evaluates and saves it.

Without flags: ResNet-50 at 32 pixels on a small dataset of moving shapes, drawn
and encoded on first use.

    python recipes/train_i3d.py

A published row on lists of `path label` lines:

    python recipes/train_i3d.py --row i3d_r50_32x2x1_100e_kinetics400_rgb --init imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

`--init imagenet` inflates the kernels of an image network over time.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="i3d_r50_16x1x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "I3D")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
