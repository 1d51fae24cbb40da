"""Shared code of the loading workers in both environments; needs only the standard library."""

import argparse
from pathlib import Path

CASES = ("sparse", "dense", "views", "frames", "audio")
# File name of a frame in the case of raw frames.
TEMPLATE = "img_{:05}.jpg"


def build_parser():
    """The command line of a loading worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True, choices=CASES)
    parser.add_argument("--list", required=True, help="list file: path, frames and label per line")
    parser.add_argument("--calls", type=int, required=True, help="clips loaded at the same time")
    parser.add_argument("--batch_size", type=int, required=True)
    parser.add_argument("--bare", action="store_true", help="only decode (our side)")
    return parser


def parse_arguments():
    """The parsed command line."""
    return build_parser().parse_args()


def entries(file):
    """(path, frames, label) of every line of a list."""
    rows = (line.rsplit(" ", 2) for line in Path(file).read_text().splitlines() if line)
    return [(path, int(frames), int(label)) for path, frames, label in rows]


def facts_of(shapes):
    """The facts that a side reports about its batches: number of clips, and the shape of one.

    Args:
        shapes: one shape per batch.
    """
    return {"loaded": sum(shape[0] for shape in shapes), "shape": list(shapes[0][1:])}
