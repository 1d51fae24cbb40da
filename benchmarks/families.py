"""Compares the families of the zoo with the PyTorch originals, row by row.

    python benchmarks/families.py --peer_python peer/bin/python [--dimensions 2 3] [--modes train]

Prints the comparison of models.py for every case, then one table with the geometric means: how many
times faster than PyTorch, in brackets than PyTorch in channels_last.
"""

import argparse
import copy
import statistics
import sys

import models
from process import WorkerError

# Row, and its input shape in evaluation, with one clip at a time.
CASES = {
    2: {
        "tsn_r50_1x1x3_100e_kinetics400_rgb": "1,8,224,224,3",
        "tsm_r50_1x1x8_50e_kinetics400_rgb": "1,8,224,224,3",
        "tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb": "1,8,224,224,3",
        "tin_r50_1x1x8_40e_sthv1_rgb": "1,8,224,224,3",
        "tanet_r50_dense_1x1x8_100e_kinetics400_rgb": "1,8,224,224,3",
        "trn_r50_1x1x8_50e_sthv1_rgb": "1,8,224,224,3",
        "tpn_tsm_r50_1x1x8_150e_sthv1_rgb": "1,8,224,224,3",
    },
    3: {
        "c3d_sports1m_16x1x1_45e_ucf101_rgb": "1,16,112,112,3",
        "i3d_r50_32x2x1_100e_kinetics400_rgb": "1,32,224,224,3",
        "slowonly_r50_4x16x1_256e_kinetics400_rgb": "1,4,224,224,3",
        "slowfast_r50_4x16x1_256e_kinetics400_rgb": "1,32,224,224,3",
        "ircsn_ig65m_pretrained_bnfrozen_r50_32x2x1_58e_kinetics400_rgb": "1,32,224,224,3",
        "ipcsn_ig65m_pretrained_bnfrozen_r152_32x2x1_58e_kinetics400_rgb": "1,32,224,224,3",
        "r2plus1d_r34_8x8x1_180e_kinetics400_rgb": "1,8,224,224,3",
        "x3d_s_13x6x1_facebook_kinetics400_rgb": "1,13,160,160,3",
        "tpn_slowonly_r50_8x8x1_150e_kinetics_rgb": "1,8,224,224,3",
    },
}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dimensions", type=int, nargs="+", choices=(2, 3), default=(2, 3))
    parser.add_argument(
        "--modes", nargs="+", choices=("inference", "train"), default=("inference", "train")
    )
    models.add_harness_flags(parser)
    parser.set_defaults(rounds=5, seconds=1.0)
    return parser


def measure_speedups(args, row, shape, mode):
    """How many times faster each form of ours is than each peer, and the number of quiet rounds."""
    case = copy.copy(args)
    case.row, case.shape, case.mode = row, shape, mode
    comparison = models.measure(case)
    side = {name: index for index, name in enumerate(comparison.names)}
    ratios = {
        form: [comparison.ratio(side[peer], over=side[form]).median for peer in models.PEERS]
        for form in models.FORMS
        if form in side
    }
    return ratios, len(comparison.quiet)


def table(dimensions, mode, cases):
    """Lines of a Markdown table, one per row of the zoo; the geometric mean is last.

    Args:
        cases: dict of row to the result of `measure_speedups`.
    """
    forms = list(next(iter(cases.values()))[0])
    lines = [f"| {dimensions}-D, {mode} | " + " | ".join(forms) + " | undisturbed rounds |"]
    lines.append("| --- |" + " --- |" * (len(forms) + 1))
    for row, (ratios, rounds) in cases.items():
        lines.append(f"| {row} | {_cells(ratios.values())} | {rounds} |")
    means = [
        [statistics.geometric_mean(peer) for peer in zip(*column, strict=True)]
        for column in zip(*(ratios.values() for ratios, _ in cases.values()), strict=True)
    ]
    lines.append(f"| geometric mean | {_cells(means)} | |")
    return "\n".join(lines)


def _cells(ratios):
    return " | ".join(f"{default:.2f} ({channels_last:.2f})" for default, channels_last in ratios)


def main():
    args = build_parser().parse_args()
    tables = []
    for dimensions in args.dimensions:
        for mode in args.modes:
            cases = CASES[dimensions].items()
            speedups = {row: measure_speedups(args, row, shape, mode) for row, shape in cases}
            tables.append(table(dimensions, mode, speedups))
    print("\n\n".join(tables))


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
