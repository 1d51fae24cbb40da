"""Trains SlowFast (arXiv:1812.03982), evaluates and saves it.

Without flags: ResNet-50 at 32 pixels on a small dataset of moving shapes, drawn and encoded on
first use.

    python recipes/train_slowfast.py

A published row on lists of `path label` lines:

    python recipes/train_slowfast.py --row slowfast_r50_4x16x1_256e_kinetics400_rgb \
        --train_list train.txt --val_list val.txt --data_root videos

The `prebn` rows measure the statistics of batch norms over many batches before an evaluation; the
`multigrid` row trains on large batches of small clips first (arXiv:1912.00998).
"""

from absl import app

from keras_video import training
from keras_video.training.flags import define_flags
from keras_video.training.multigrid_run import fit_multigrid_run
from keras_video.training.run import begin

FLAGS = define_flags(row="slowfast_r50_16x1x1_moving_shapes")


def main(_):
    run = begin(FLAGS, "SlowFast")
    train, test = run.datasets()
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    if run.row.multigrid and not FLAGS.dry_run:
        model = fit_multigrid_run(run, model, test)
    else:
        run.fit(model, train, test, callbacks=training.row_precise_norm(run.row, train))
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
