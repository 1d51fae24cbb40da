"""Trains MoViNet (arXiv:2103.11511), evaluates and saves it.

Without flags: the stream form of A0 on a small dataset of moving shapes, drawn and encoded on first
use; the classes are directions of motion.

    python recipes/train_movinet.py

A published network on lists of `path label` lines, with the settings of its authors (RMSprop, label
smoothing, stochastic depth), or fine-tuned from its weights:

    python recipes/train_movinet.py --row movinet_a0_stream \
        --train_list train.txt --val_list val.txt --data_root videos
    python recipes/train_movinet.py --row movinet_a2_base --init movinet_a2_base \
        --train_list train.txt --val_list val.txt --data_root videos
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="movinet_a0_stream_8x2x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "MoViNet", task="order")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test, callbacks=training.row_precise_norm(run.row, train))
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
