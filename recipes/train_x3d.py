"""Trains X3D (arXiv:2004.04730), evaluates and saves it.

Without flags: a small X3D on a small dataset of moving shapes, drawn and encoded on first use; the
classes are directions of motion.

    python recipes/train_x3d.py

X3D on lists of `path label` lines, with the settings of its authors:

    python recipes/train_x3d.py --row x3d_s_13x6x1_300e_kinetics400_rgb \
        --train_list train.txt --val_list val.txt --data_root videos

or fine-tuned from published weights (`--row x3d_s_13x6x1_facebook_kinetics400_rgb --init
kinetics400`). Norms do not decay, and their statistics are measured before an evaluation.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="x3d_8x2x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "X3D", task="order")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test, callbacks=training.row_precise_norm(run.row, train))
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
