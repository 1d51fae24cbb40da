"""Trains C3D (arXiv:1412.0767), evaluates and saves it.

Without flags: C3D with narrow dense layers on a small dataset of moving shapes,
drawn and encoded on first use.

    python recipes/train_c3d.py

A published row on lists of `path label` lines:

    python recipes/train_c3d.py --row c3d_sports1m_16x1x1_45e_ucf101_rgb --init start \
        --train_list train.txt --val_list val.txt --data_root videos

C3D has no batch norm: only the mean is subtracted from its clips, and the rate is low. The
published row starts from weights of Sports-1M: `--init start`.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="c3d_16x1x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "C3D")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
