"""Trains a temporal relation network (TRN, arXiv:1711.08496), evaluates and saves it.

Without flags: ResNet-18 on a small dataset of moving shapes, drawn and encoded on first use;
the classes are directions of motion.

    python recipes/train_trn.py

A published row on lists of `path label` lines:

    python recipes/train_trn.py --row trn_r50_1x1x8_50e_sthv1_rgb --init imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

Only the first batch norm learns, the others keep the statistics they start with (partial batch
norm); from random weights, as in the bare run, all of them learn. TSM's parameter groups apply,
but for the faster classifier.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="trn_r18_1x1x8_moving_shapes")


def main(_):
    run = begin(FLAGS, "TRN", task="order")
    train, test = run.datasets()
    with run.scope():
        model = training.prepare_norms(run.model(), run.row)
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
