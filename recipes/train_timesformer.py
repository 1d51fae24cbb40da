"""Trains TimeSformer (arXiv:2102.05095), evaluates and saves it.

Without flags: a transformer of four narrow layers on a small dataset of moving shapes,
drawn and encoded on first use.

    python recipes/train_timesformer.py

A published row on lists of `path label` lines:

    python recipes/train_timesformer.py --row timesformer_divST_8x32x1_15e_kinetics400_rgb \
        --init imagenet --train_list train.txt --val_list val.txt --data_root videos

`--init imagenet` starts from ViT-B of ImageNet-21K; its position table is interpolated for other
sizes. Space and time are attended to one after another, at once, or space only, as the row says.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="timesformer_divST_8x2x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "TimeSformer")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
