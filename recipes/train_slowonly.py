"""Trains SlowOnly (arXiv:1812.03982), of RGB or optical flow, evaluates and saves it.

Without flags: ResNet-50 at 32 pixels on a small dataset of moving shapes, drawn
and encoded on first use.

    python recipes/train_slowonly.py

A published row on lists of `path label` lines:

    python recipes/train_slowonly.py --row slowonly_r50_4x16x1_256e_kinetics400_rgb \
        --train_list train.txt --val_list val.txt --data_root videos

Rows named `imagenet_pretrained` start with `--init imagenet`, inflated over time; the others from
nothing, their blocks as identities.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="slowonly_r50_4x4x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "SlowOnly")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
