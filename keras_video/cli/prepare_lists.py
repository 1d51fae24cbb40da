"""Writes the annotation lists of a dataset from its own annotation files and what is on disk.

    python recipes/prepare_lists.py --dataset kinetics --annotations k400 --root videos --out lists
    python recipes/prepare_lists.py --dataset ucf101 --annotations ucfTrainTestlist \
        --root frames --kind rawframes --out lists

Leaves `train.txt`, `val.txt` and `class_names.txt`. Videos are found by name at any depth below
the root. Those that are not there are counted and left out; `missing.txt` names them.
"""

import argparse
import functools
from pathlib import Path

from absl import logging

from keras_video.data.prepare.datasets import DATASETS
from keras_video.data.prepare.lists import (
    frame_list,
    frames_on_disk,
    matched,
    sound_list,
    video_list,
    videos_on_disk,
    write_lines,
)

KINDS = {"rawframes": "img_{:05}.jpg", "flow": "{}_{:05d}.jpg"}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset", required=True, choices=sorted(DATASETS))
    parser.add_argument("--annotations", required=True, help="folder of the dataset's own files")
    parser.add_argument("--root", required=True, help="folder of the videos, or of the frames")
    parser.add_argument("--out", required=True, help="folder for the lists")
    parser.add_argument("--kind", choices=("videos", "sound", *KINDS), default="videos")
    parser.add_argument("--template", help="file name of a frame")
    parser.add_argument("--suffix", default=".wav", help="ending of sound files or features")
    parser.add_argument("--split", type=int, help="number of the split: UCF101, HMDB51")
    parser.add_argument("--classes", type=int, help="99 or 288: GYM")
    parser.add_argument("--clips", action="store_true", help="segments, not videos: ActivityNet")
    args = parser.parse_args(arguments)
    logging.set_verbosity(logging.INFO)
    wanted = {"split": args.split, "classes": args.classes, "clips": args.clips or None}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    listing = DATASETS[args.dataset](args.annotations, **wanted)
    found, lines_of = finder(args)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "class_names.txt", listing.class_names)
    missing = []
    for split, entries in listing.splits.items():
        pairs, absent = matched(entries, found)
        missing += absent
        lines = lines_of(pairs)
        write_lines(out / f"{split}.txt", lines)
        logging.info("%s: %d listed, %d not on disk", split, len(lines), len(absent))
    write_lines(out / "missing.txt", missing)


def finder(args):
    """What is on disk, and the function from what was matched to lines."""
    if args.kind in KINDS:
        template = args.template or KINDS[args.kind]
        fields = ("x",) if args.kind == "flow" else ()
        lines_of = functools.partial(frame_list, root=args.root, template=template, fields=fields)
        return frames_on_disk(args.root, template, fields), lines_of
    if args.kind == "sound":
        lines_of = functools.partial(sound_list, root=args.root, suffix=args.suffix)
        return videos_on_disk(args.root), lines_of
    return videos_on_disk(args.root), video_list


if __name__ == "__main__":
    main()
