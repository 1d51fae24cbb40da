"""Trains TSN or SlowOnly on several sources at once (OmniSource, arXiv:2003.13042).

Without flags: TSN on ResNet-18, on a small dataset of moving shapes and on a second one that stands
for videos from the web, drawn and encoded on first use.

    python recipes/train_omnisource.py

A published row on lists of `path label` lines, with a list and a folder for every source besides
the first, in the row's order (`zoo.row(name).joint`):

    python recipes/train_omnisource.py --row tsn_r50_1x1x8_100e_minikinetics_webimage_rgb \
        --train_list train.txt --val_list val.txt --data_root videos \
        --joint_lists web.txt --joint_roots web_images

An epoch takes every batch of the first source once, and after each of them, or every few, batches
of the others. Images count as clips that stand still. Classes of a source may be drawn more evenly
than its examples are spread.
"""

from absl import app, flags

from keras_video import data, training
from keras_video.training.flags import define_flags
from keras_video.training.joint import joint_training
from keras_video.training.run import begin

FLAGS = define_flags(row="tsn_r18_1x1x4_omnisource_moving_shapes")
flags.DEFINE_list("joint_lists", [], "annotation files of the other sources")
flags.DEFINE_list("joint_roots", [], "folders that their paths are relative to")


def main(_):
    run = begin(FLAGS, "omnisource")
    train, test = run.datasets()
    lists, roots = FLAGS.joint_lists, FLAGS.joint_roots
    if not FLAGS.train_list and not FLAGS.dry_run:
        web = data.make_moving_shapes(run.videos.root.with_name("moving_shapes_web"), seed=1)
        lists, roots = [web.train_list], [web.root]
    train = joint_training(run, train, lists, roots)
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)


if __name__ == "__main__":
    app.run(main)
