r"""Packs the examples of an annotation list into TFRecord shards.

    keras-video prepare tfrecords --list train.txt --data_root videos --out shards/train

    keras-video prepare tfrecords --list train.txt --data_root frames --source rawframes \
        --template "img_{:05}.jpg" --out shards/train

    keras-video prepare tfrecords --list train.txt --data_root flow --source flow \
        --template "{}_{:05d}.jpg" --stacked --out shards/train

Training reads the shards with the same source: `tfrecord_dataset(source=FlowFrames(stacked=True))`.
Files are stored as they are. A run that was broken off goes on where it was. Examples whose files
cannot be read are left out and named; the exit status is then 1.
"""

from absl import logging

from keras_video import data
from keras_video.cli.sources import define_source_flags, source_of


def define(flags):
    define_source_flags(flags)
    flags.group("Shards")
    flags.string("out", None, "folder for the shards", required=True)
    flags.integer("shards", 64, "number of files", 1)
    flags.integer("classes", None, "number of classes", 1)
    flags.integer("seed", 0, "of the order of the examples", 0)
    flags.integer("workers", None, "shards written at the same time", 1)


def run(options, _):
    logging.set_verbosity(logging.INFO)
    source, annotation_format = source_of(options)
    records = data.read_annotations(
        options.list, options.data_root, options.classes, annotation_format=annotation_format
    )
    done = data.write_tfrecords(
        records,
        options.out,
        source,
        shards=min(options.shards, len(records)),
        seed=options.seed,
        classes=options.classes,
        workers=options.workers,
    )
    done.log()
    return 1 if done.failed else 0
