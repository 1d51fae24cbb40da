"""Packs the examples of an annotation list into TFRecord shards.

    python recipes/prepare_tfrecords.py --list train.txt --root videos --out shards/train

    python recipes/prepare_tfrecords.py --list train.txt --root frames --source rawframes \
        --template "img_{:05}.jpg" --out shards/train

    python recipes/prepare_tfrecords.py --list train.txt --root flow --source flow \
        --template "{}_{:05d}.jpg" --stacked --out shards/train

Training reads the shards with the same source: `tfrecord_dataset(source=FlowFrames(stacked=True))`.
Files are stored as they are. A run that was broken off goes on where it was. Examples whose files
cannot be read are left out and named; the exit status is then 1.
"""

import argparse
import sys

from absl import logging

from keras_video import data
from keras_video.data.prepare.flags import source_flags, source_of


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    source_flags(parser)
    parser.add_argument("--out", required=True, help="folder for the shards")
    parser.add_argument("--shards", type=int, default=64, help="number of files")
    parser.add_argument("--classes", type=int, help="number of classes")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the examples")
    parser.add_argument("--workers", type=int, help="shards written at the same time")
    args = parser.parse_args(arguments)
    logging.set_verbosity(logging.INFO)
    source, form = source_of(args)
    records = data.read_annotations(args.list, args.root, args.classes, form=form)
    done = data.write_tfrecords(
        records,
        args.out,
        source,
        shards=min(args.shards, len(records)),
        seed=args.seed,
        classes=args.classes,
        workers=args.workers,
    )
    done.log()
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
