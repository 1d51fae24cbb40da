"""Trains a temporal segment network (TSN, arXiv:1608.00859), evaluates and saves it.

Without flags: ResNet-18 on a small dataset of moving shapes, drawn
and encoded on first use.

    python recipes/train_tsn.py

A published row on lists of `path label` lines:

    python recipes/train_tsn.py --row tsn_r50_1x1x3_100e_kinetics400_rgb --init imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

The Something-Something V1 rows keep the batch norms' statistics of ImageNet and learn their scales.
Rows of several labels (HVU, Multi-Moments in Time) learn with a cross-entropy per tag.

The work folder then holds the log, `model.keras`, `metrics.json`, curves and a confusion matrix.
A run that was stopped goes on when the same command is given again.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="tsn_r18_1x1x4_moving_shapes")


def main(_):
    run = begin(FLAGS, "TSN")
    train, test = run.datasets()
    with run.scope():
        model = training.prepare_norms(run.model(), run.row)
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
