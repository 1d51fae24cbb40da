"""Trains a channel-separated network (CSN, arXiv:1904.02811), evaluates and saves it.

Without flags: irCSN-50 at 32 pixels on a small dataset of moving shapes, drawn
and encoded on first use.

    python recipes/train_csn.py

A published row on lists of `path label` lines:

    python recipes/train_csn.py \
        --row ircsn_ig65m_pretrained_bnfrozen_r50_32x2x1_58e_kinetics400_rgb \
        --train_list train.txt --val_list val.txt --data_root videos

The `bnfrozen` rows keep statistics, scales and offsets of all batch norms: they start from weights
of IG-65M or Sports-1M, which `--init start` fetches.
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="ircsn_r50_8x2x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "CSN")
    train, test = run.datasets()
    with run.scope():
        model = training.prepare_norms(run.model(), run.row)
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
