"""What the loading workers of both environments share; needs the standard library alone."""

import argparse
from pathlib import Path

CASES = ("sparse", "dense", "views", "frames", "audio")
# File name of a frame in the case of raw frames.
TEMPLATE = "img_{:05}.jpg"


def parser():
    """The command line of a loading worker."""
    made = argparse.ArgumentParser()
    made.add_argument("--case", required=True, choices=CASES)
    made.add_argument("--list", required=True, help="file of lines: path of a clip, frames, label")
    made.add_argument("--calls", type=int, required=True, help="clips loaded at the same time")
    made.add_argument("--batch_size", type=int, required=True)
    made.add_argument("--bare", action="store_true", help="only decode (our side)")
    return made


def arguments():
    """The parsed command line."""
    return parser().parse_args()


def entries(file):
    """(path, frames, label) of every line of a list."""
    rows = (line.rsplit(" ", 2) for line in Path(file).read_text().splitlines() if line)
    return [(path, int(frames), int(label)) for path, frames, label in rows]


def facts_of(shapes):
    """What a side tells about its batches: number of clips, and the shape of one.

    Args:
        shapes: one shape per batch.
    """
    return {"loaded": sum(one[0] for one in shapes), "shape": list(shapes[0][1:])}
