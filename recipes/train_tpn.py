"""Trains a temporal pyramid network (TPN, arXiv:2004.03548), evaluates and saves it.

Without flags: TPN on SlowOnly-50 at 32 pixels on a small dataset of moving shapes, drawn and
encoded on first use.

    python recipes/train_tpn.py

A published row on lists of `path label` lines:

    python recipes/train_tpn.py --row tpn_slowonly_r50_8x8x1_150e_kinetics_rgb \
        --train_list train.txt --val_list val.txt --data_root videos

In training a second classifier sees the third stage; its loss is added with the row's weight. The
model that is saved has it no longer.
"""

import keras
from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="tpn_slowonly_r50_4x4x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "TPN")
    train, test = run.datasets()
    # The same labels for both classifiers.
    train = train.map(lambda clips, labels: (clips, (labels, labels)))
    with run.scope():
        model = run.model(auxiliary=True)
        auxiliary = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            run.optimizer(train),
            loss=[training.row_loss(run.row), auxiliary],
            loss_weights=[1.0, run.row.loss.auxiliary_weight],
            metrics=[run.metrics, []],
        )
    run.fit(model, train, test)
    plain = run.model(init=None)  # the same variables, one output
    plain.set_weights(model.get_weights())
    run.finish(plain, test)


if __name__ == "__main__":
    app.run(main)
