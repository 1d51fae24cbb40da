"""Compares a stream of frames with the clip model run anew on the latest frames, on the CPU.

    python benchmarks/stream.py --peer_python peer/bin/python

For each row, milliseconds from a frame to the scores: online TSM as `inference.Stream` (one frame
goes through the network), the same with folded norms, and the clip model on the last eight frames,
in Keras and in PyTorch.
"""

import argparse
import copy
import sys

import harness
import models
import report
from process import Worker, WorkerError, started

ROWS = (
    "tsm_r50_1x1x8_50e_kinetics400_rgb",
    "tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb",
)
STREAM, FOLDED = "Stream", "Stream, folded"


def parser():
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--rows", nargs="+", default=ROWS, help="TSM rows of the zoo")
    made.add_argument("--shape", default="1,8,224,224,3", help="of the clip model")
    models.harness_flags(made)
    made.set_defaults(rounds=5, seconds=1.0)
    return made


def workers(args):
    """Starts the sides, one after the other; ours comes first."""
    stream = [sys.executable, models.HERE / "keras_stream.py"]
    stream += ["--row", args.row, "--shape", args.shape]
    yield Worker(STREAM, stream, environment=models.OUR_SIDE)
    yield Worker(FOLDED, [*stream, "--folded"], environment=models.OUR_SIDE)
    yield from models.workers(args)


def measure(args):
    """Starts the sides, prints how they compare; a `harness.Comparison`."""
    print(f"{args.row}, a frame or a clip {args.shape}; {report.machine()}", flush=True)
    with started(workers(args)) as sides:
        measured = harness.compare(
            sides, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )
    print(report.table(measured), flush=True)
    return measured


def main():
    args = parser().parse_args()
    results = {}
    for row in args.rows:
        case = copy.copy(args)
        case.row, case.mode = row, "inference"
        results[row] = measure(case)
    if args.json:
        report.write_json(args.json, results)


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
