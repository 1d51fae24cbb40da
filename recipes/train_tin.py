"""Trains a temporal interlacing network (TIN, arXiv:2001.06499), evaluates and saves it.

Without flags: ResNet-50 at 32 pixels on a small dataset of moving shapes, drawn
and encoded on first use.

    python recipes/train_tin.py

A published row on lists of `path label` lines:

    python recipes/train_tin.py --row tin_r50_1x1x8_40e_sthv2_rgb --init imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

TIN learns with TSM's parameter groups and a warm-up. The Kinetics row starts from TSM's weights.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="tin_r50_1x1x4_moving_shapes")


def main(_):
    run = begin(FLAGS, "TIN")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
