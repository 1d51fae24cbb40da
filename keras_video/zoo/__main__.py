"""`python -m keras_video.zoo`: a table of the published rows."""

import argparse
import sys

from keras_video.zoo.catalogue import rows
from keras_video.zoo.table import (
    architecture,
    millions,
    number,
    operations,
    protocol,
    sampling,
    top1,
)
from keras_video.zoo.zoo_row import KINDS

COLUMNS = ("id", "name", "architecture", "params", "FLOPs", "top-1", "top-5", "sampling")
COLUMNS += ("protocol", "checkpoint")
RIGHT = ("params", "FLOPs", "top-1", "top-5")


def cells(row):
    return (
        row.id,
        row.name,
        architecture(row),
        millions(row.parameters),
        operations(row.flops),
        top1(row),
        number(row.reported.top5, ".2f"),
        sampling(row),
        protocol(row),
        row.checkpoint.file if row.checkpoint else "-",
    )


def table(selected):
    """Lines of a table with one line per row."""
    lines = [COLUMNS, *map(cells, selected)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    alignments = [">" if name in RIGHT else "<" for name in COLUMNS]
    form = "  ".join(f"{{:{a}{w}}}" for a, w in zip(alignments, widths, strict=True))
    return [form.format(*line).rstrip() for line in lines]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m keras_video.zoo", description=__doc__)
    parser.add_argument("--family", help="such as tsn or slowfast")
    parser.add_argument("--dataset", help="such as kinetics400 or sthv1")
    parser.add_argument("--kind", choices=KINDS, help="kind of row; all published ones by default")
    chosen = parser.parse_args(arguments)
    try:
        selected = rows(chosen.family, chosen.dataset, chosen.kind)
    except ValueError as error:
        parser.error(str(error))
    print("\n".join(table(selected)))
    print(f"{len(selected)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
