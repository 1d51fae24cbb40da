r"""Writes annotation lists from a dataset's original annotations.

    keras-video prepare lists --dataset kinetics --annotations k400 --data_root videos --out lists
    keras-video prepare lists --dataset ucf101 --annotations ucfTrainTestlist \
        --data_root frames --source rawframes --out lists

The files are `train.txt`, `val.txt` and `class_names.txt`. Videos are found by name at any depth
below the root. Missing ones are counted and left out; `missing.txt` lists them.
"""

import functools
from pathlib import Path

from absl import logging

from keras_video.data.prepare.datasets import DATASETS
from keras_video.data.prepare.lists import (
    audio_list,
    frame_list,
    frames_on_disk,
    matched,
    video_list,
    videos_on_disk,
    write_lines,
)

KINDS = {"rawframes": "img_{:05}.jpg", "flow": "{}_{:05d}.jpg"}


def define(flags):
    flags.choice("dataset", None, sorted(DATASETS), "dataset to write lists for", required=True)
    flags.string(
        "annotations", None, "folder of the dataset's original annotation files", required=True
    )
    flags.string("data_root", None, "folder of the videos or frames", required=True)
    flags.string("out", None, "folder for the lists", required=True)
    flags.choice("source", "videos", ("videos", "audio", *KINDS), "what the listed paths are")
    flags.string("template", None, "file name of a frame")
    flags.string("suffix", ".wav", "extension of audio files or features")
    flags.integer("split", None, "UCF101, HMDB51: number of the split", 1)
    flags.integer("classes", None, "GYM: 99 or 288", 1)
    flags.switch("clips", False, "ActivityNet: list segments rather than whole videos")


def run(options, _):
    logging.set_verbosity(logging.INFO)
    arguments = {"split": options.split, "classes": options.classes, "clips": options.clips or None}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    listing = DATASETS[options.dataset](options.annotations, **arguments)
    files, lines_of = finder(options)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "class_names.txt", listing.class_names)
    missing = []
    for split, entries in listing.splits.items():
        pairs, absent = matched(entries, files)
        missing += absent
        lines = lines_of(pairs)
        write_lines(out / f"{split}.txt", lines)
        logging.info("%s: %d listed, %d not on disk", split, len(lines), len(absent))
    write_lines(out / "missing.txt", missing)


def finder(options):
    """The files on disk, and the function that formats matched entries as lines."""
    if options.source in KINDS:
        template = options.template or KINDS[options.source]
        fields = ("x",) if options.source == "flow" else ()
        lines_of = functools.partial(
            frame_list, root=options.data_root, template=template, fields=fields
        )
        return frames_on_disk(options.data_root, template, fields), lines_of
    if options.source == "audio":
        lines_of = functools.partial(audio_list, root=options.data_root, suffix=options.suffix)
        return videos_on_disk(options.data_root), lines_of
    return videos_on_disk(options.data_root), video_list
