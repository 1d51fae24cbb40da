r"""Trains, evaluates and saves a temporal segment network (TSN, arXiv:1608.00859).

The complete training in one script, to read and adapt. Without flags it trains a ResNet-18 on a
small dataset of moving shapes, generated and encoded on first use.

    python recipes/train_tsn.py

On annotation files of `path label` lines, with the settings of a published row:

    python recipes/train_tsn.py --row tsn_r50_1x1x3_100e_kinetics400_rgb --weights imagenet \
        --train_list train.txt --val_list val.txt --data_root videos

`keras-video train` does the same for every row of the zoo, and adds audio, multiple sources and
multiple machines. The work directory then holds the log, `model.keras`, `metrics.json`, curves and
a confusion matrix. An interrupted run resumes when the same command is run again.
"""

from pathlib import Path

import keras
import tensorflow as tf
from absl import app, flags

from keras_video import data, inference, training, zoo
from keras_video.weights import load_model

FLAGS = flags.FLAGS
flags.DEFINE_string("row", "tsn_r18_1x1x4_moving_shapes", "zoo row: model, data, schedule")
flags.DEFINE_string("weights", None, "initial weights: imagenet, a dataset, a row or a file")
flags.DEFINE_string("train_list", None, "annotation file; the embedded dataset if not given")
flags.DEFINE_string("val_list", None, "annotation file of the videos to evaluate on")
flags.DEFINE_string("data_root", None, "folder that the paths of the lists are relative to")
flags.DEFINE_string("work_dir", "work_dirs/tsn", "directory of the run")
flags.DEFINE_integer("size", None, "crop size in pixels; the row's if not given", 32)
flags.DEFINE_string(
    "views", None, "test views as clips x crops, such as 10x3; the row's if not given"
)
flags.DEFINE_integer("epochs", None, "number of epochs; the row's if not given", 1)
flags.DEFINE_integer("batch_size", None, "videos per step; the row's if not given", 1)
flags.DEFINE_enum(
    "on_error", "raise", ["raise", "skip", "replace"], "how to handle unreadable videos"
)


def main(_):
    # A row defines its model's input pipeline, training and evaluation.
    row = zoo.row(FLAGS.row)
    if FLAGS.size:
        row = zoo.resized(row, FLAGS.size)
    if FLAGS.views:
        row = zoo.with_views(row, *map(int, FLAGS.views.split("x")))
    epochs = FLAGS.epochs or row.epochs

    # Two lists of videos, with a class name for each label.
    if bool(FLAGS.train_list) != bool(FLAGS.val_list):
        raise app.UsageError(
            f"--train_list={FLAGS.train_list} --val_list={FLAGS.val_list}: give both or neither."
        )
    if FLAGS.train_list:
        train_list, val_list, root = FLAGS.train_list, FLAGS.val_list, FLAGS.data_root
        labels = [label for record in data.read_annotations(train_list) for label in record.labels]
        class_names = [str(label) for label in range(max(labels) + 1)]
    else:
        train_list, val_list, class_names = data.embedded_dataset()
        root = train_list.parent

    # Training clips are resampled every epoch; test videos are read with all views.
    keras.utils.set_random_seed(0)
    strategy = tf.distribute.MirroredStrategy()
    batch_size = FLAGS.batch_size or row.batch_size_per_device * strategy.num_replicas_in_sync
    epoch = data.EpochCounter()
    train = data.row_dataset(
        row,
        train_list,
        "train",
        root,
        classes=len(class_names),
        batch_size=batch_size,
        epoch=epoch,
        on_error=FLAGS.on_error,
        drop_remainder=True,
    )
    test = data.row_dataset(
        row,
        val_list,
        "test",
        root,
        classes=len(class_names),
        batch_size=4,
        on_error=FLAGS.on_error,
    )

    # The model, replicated on every device, with the row's norms, optimizer and loss.
    with strategy.scope():
        model = row.model(FLAGS.weights, classes=len(class_names), input_shape=row.input_shape)
        model.class_names = list(class_names)
        model = training.prepare_norms(model, row)
        optimizer = training.row_optimizer(row, len(train), epochs=epochs)
        model.compile(optimizer, training.row_loss(row), metrics=["accuracy"])

    # The learning rate scales with the batch size; every epoch is evaluated, logged and backed up.
    scaling = training.LearningRateScaling(row.batch_size or batch_size, batch_size)
    callbacks = training.training_callbacks(
        FLAGS.work_dir,
        [scaling, training.EpochSeed(epoch)],
        evaluation=training.MultiViewEvaluation(test, row.score_average),
    )
    model.fit(train, epochs=epochs, callbacks=callbacks, shuffle=False)

    # Evaluate the saved model, which has no optimizer.
    folder = Path(FLAGS.work_dir)
    training.save_model(model, folder / "model.keras")
    model = load_model(folder / "model.keras")
    scores, labels = training.evaluate_views(model, test, score_average=row.score_average)
    history = training.read_log(folder / "log.csv")
    report = training.write_results(folder, scores, labels, class_names, history)
    print(f"top1 {report['top1']:.4f} of {report['videos']} videos; results are in {folder}")

    video = data.read_annotations(val_list, root)[0]
    print(f"{video.path} ({class_names[video.labels[0]]}):")
    for name, score in sorted(
        zip(class_names, inference.predict_video(model, video.path), strict=True),
        key=lambda pair: -pair[1],
    )[:5]:
        print(f"  {score:.4f}  {name}")


if __name__ == "__main__":
    app.run(main)
