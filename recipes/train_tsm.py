"""Trains a temporal shift network (TSM, arXiv:1811.08383), evaluates and saves it.

Without flags: MobileNetV2 on a small dataset of moving shapes, drawn and encoded on first use;
the classes are directions of motion.

    python recipes/train_tsm.py

A published row on lists of `path label` lines:

    python recipes/train_tsm.py --row tsm_r50_1x1x8_50e_kinetics400_rgb --init imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

The row's optimizer has TSM's parameter groups: biases learn at twice the rate and do not decay,
norms do not decay, the classifier learns five times as fast. Rows that mix clips (MixUp, CutMix)
do so here. Where left and right are classes, mirroring a clip changes its label.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="tsm_mobilenetv2_1x1x8_moving_shapes")


def main(_):
    run = begin(FLAGS, "TSM", task="order")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
