"""`python -m keras_video.zoo`: a table of the published rows."""

import argparse
import sys

from keras_video.zoo.catalogue import rows
from keras_video.zoo.zoo_row import KINDS

COLUMNS = ("id", "name", "architecture", "params", "top-1", "top-5", "sampling", "protocol")
RIGHT = ("params", "top-1", "top-5")


def architecture(row):
    if row.constructor is None:
        return f"({row.kind})"
    values = ", ".join(f"{key}={value}" for key, value in row.arguments.items() if value)
    return f"{row.constructor}({values})"


def sampling(row):
    """Clip length x frame interval x clips, as in the names of the configs."""
    if row.sampling is None:
        return "-"
    drawn = row.sampling.train or row.sampling.test
    dense = "dense " if drawn.sampler == "DenseSampleFrames" else ""
    return f"{dense}{drawn.clip_len}x{drawn.frame_interval}x{drawn.num_clips}"


def number(value, text):
    return "-" if value is None else format(value, text)


def cells(row):
    reported = row.reported
    top1 = number(reported.top1, ".2f")
    if reported.top1 is None and reported.mean_average_precision is not None:
        top1 = f"mAP {reported.mean_average_precision:.2f}"
    millions = None if row.parameters is None else row.parameters / 1e6
    return (
        row.id,
        row.name,
        architecture(row),
        "-" if millions is None else f"{millions:.2f} M",
        top1,
        number(reported.top5, ".2f"),
        sampling(row),
        str(row.views) if row.views else "-",
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
