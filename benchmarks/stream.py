"""Compares streaming on the CPU: MoViNet's step in runtimes, TSM's stream with its clip model.

    python benchmarks/stream.py --peer_python peer/bin/python

For each row of MoViNet, milliseconds from a frame to the scores, with one thread: the exported
step in LiteRT (float32, also with weights in float16 and int8), and the same step in TensorFlow, as
Keras' `inference.Stream` and as a SavedModel. The authors publish 16 ms a frame for A0 on x86.

For each row of TSM, if `--peer_python` is given: the online form as `inference.Stream` (which takes
one frame), the same with folded norms, and the clip model on the last eight frames, in Keras and in
PyTorch.
"""

import argparse
import copy
import sys

import harness
import models
import report
from process import Worker, WorkerError, run_workers

MOVINETS = ("movinet_a0_stream",)
ROWS = (
    "tsm_r50_1x1x8_50e_kinetics400_rgb",
    "tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb",
)
STREAM, FOLDED = "Stream", "Stream, folded"
# Sides of a row of MoViNet, and forms of stream_side.py; others are compared with the first.
FORMS = {
    "LiteRT": "litert",
    "LiteRT, float16": "litert_float16",
    "LiteRT, int8": "litert_int8",
    "Keras Stream": "keras",
    "TensorFlow SavedModel": "saved_model",
}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--movinets", nargs="*", default=MOVINETS, help="stream rows of the zoo")
    parser.add_argument("--threads", type=int, default=1, help="threads of each side of --movinets")
    parser.add_argument("--rows", nargs="*", default=ROWS, help="TSM rows of the zoo")
    parser.add_argument("--shape", default="1,8,224,224,3", help="input of the clip model")
    models.add_harness_flags(parser, needs_peer=False)
    parser.set_defaults(rounds=5, seconds=1.0)
    return parser


def step_workers(args, row):
    """Starts the sides of a row of MoViNet, one after the other."""
    for name, form in FORMS.items():
        command = [sys.executable, models.HERE / "stream_side.py", "--row", row, "--form", form]
        command += ["--threads", args.threads]
        yield Worker(name, command, environment=models.OUR_SIDE)


def workers(args):
    """Starts the sides, one after the other; ours comes first."""
    stream = [sys.executable, models.HERE / "keras_stream.py"]
    stream += ["--row", args.row, "--shape", args.shape]
    yield Worker(STREAM, stream, environment=models.OUR_SIDE)
    yield Worker(FOLDED, [*stream, "--folded"], environment=models.OUR_SIDE)
    yield from models.workers(args)


def measure(args, sides):
    """Starts the sides, prints their facts and their comparison; a `harness.Comparison`."""
    with run_workers(sides) as running:
        for side in running:
            print(f"{side.name}: {', '.join(f'{k} {v}' for k, v in side.facts.items())}")
        comparison = harness.compare(
            running, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )
    print(report.table(comparison, milliseconds=True), flush=True)
    return comparison


def main():
    args = build_parser().parse_args()
    results = {}
    for row in args.movinets:
        print(f"{row}, a frame, {args.threads} thread(s) a side; {report.machine()}", flush=True)
        results[row] = measure(args, step_workers(args, row))
    if args.peer_python is None:
        print("Rows of TSM are left out: comparing them with PyTorch needs --peer_python.")
        args.rows = ()
    for row in args.rows:
        case = copy.copy(args)
        case.row, case.mode = row, "inference"
        print(f"{row}, a frame or a clip {args.shape}; {report.machine()}", flush=True)
        results[row] = measure(case, workers(case))
    if args.json:
        report.write_json(args.json, results)


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
