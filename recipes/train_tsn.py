"""Trains a temporal segment network (TSN, arXiv:1608.00859), evaluates and saves it.

Without flags: ResNet-18 on a small dataset of moving shapes, drawn and encoded on first use.

    python recipes/train_tsn.py

A published row on lists of `path label` lines:

    python recipes/train_tsn.py --row tsn_r50_1x1x3_100e_kinetics400_rgb --init imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

The work folder then holds the log, `model.keras`, `metrics.json`, curves and a confusion matrix.
A run that was stopped goes on when the same command is given again.
"""

from absl import app

from keras_video import data, training, zoo
from keras_video.training import run
from keras_video.training.flags import define_flags

FLAGS = define_flags(row="tsn_r18_1x1x4_moving_shapes")


def main(_):
    row = zoo.row(FLAGS.row)
    work_dir = run.begin(FLAGS, row)
    videos = run.find_videos(FLAGS, task="appearance")

    strategy = run.replicas()
    batch_size = FLAGS.batch_size or row.videos_per_gpu * strategy.num_replicas_in_sync
    epochs = FLAGS.epochs or row.epochs
    epoch = data.Epoch()
    train, test = run.clip_datasets(FLAGS, row, videos, batch_size, epoch)

    with strategy.scope():
        model = row.model(**run.model_arguments(FLAGS, row, videos))
        run.describe(model, FLAGS, row, videos)
        training.freeze_norms(model, row)
        model.compile(
            training.row_optimizer(
                row, len(train), epochs=epochs, learning_rate=FLAGS.learning_rate
            ),
            loss=training.row_loss(row),
            metrics=["accuracy"],
        )

    model.fit(
        train,
        epochs=epochs,
        callbacks=run.callbacks(FLAGS, row, work_dir, batch_size, epoch, test),
        verbose=run.verbosity(),
    )
    run.finish(model, row, work_dir, videos, test)


if __name__ == "__main__":
    app.run(main)
