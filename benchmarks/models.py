"""Compares a row of the zoo with the PyTorch original: inference or one training step, on the CPU.

    python benchmarks/models.py --row tsn_r50_1x1x3_100e_kinetics400_rgb \
        --shape 1,8,224,224,3 --mode inference --peer_python peer/bin/python

Sides: Keras compiled by tf.function, for inference also with folded norms (`fold_batch_norm`), with
constant weights (`compile_frozen`), with both, and with both and fewer multiplications
(`winograd_model`); MMAction2 in PyTorch eager mode, also with weights in channels_last.
peer_environment.py describes how to create the PyTorch environment.
"""

import argparse
import sys
from pathlib import Path

import harness
import report
from process import Worker, WorkerError, run_workers

HERE = Path(__file__).parent
# Forms of our side and their flags of keras_model.py; the others are compared with the first.
FORMS = {
    "Keras": [],
    "Keras, frozen": ["--frozen"],
    "Keras, folded": ["--folded"],
    "Keras, folded and frozen": ["--folded", "--frozen"],
    "Keras, folded, Winograd, frozen": ["--folded", "--winograd", "--frozen"],
}
KERAS = "Keras"
PEERS = PYTORCH, CHANNELS_LAST = "PyTorch", "PyTorch channels_last"
OUR_SIDE = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # As `import keras_video` sets it, if it precedes the import of TensorFlow.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
# Our packages must not be found by the other environment's Python.
PEER_SIDE = {"PYTHONPATH": None, "PYTHONHOME": None}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--row", required=True, help="row of the zoo, the name of its config")
    parser.add_argument("--shape", required=True, help="batch,frames,height,width,channels")
    parser.add_argument("--mode", choices=("inference", "train"), default="inference")
    add_harness_flags(parser)
    return parser


def add_harness_flags(parser, needs_peer=True):
    """Adds the flags that every comparison takes."""
    parser.add_argument(
        "--peer_python", required=needs_peer, help="Python of the PyTorch environment"
    )
    parser.add_argument("--rounds", type=int, default=10, help="number of undisturbed rounds")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--busy_limit", type=float, default=0.1, help="cores others may use")
    parser.add_argument("--json", help="file to write every measurement to")


def workers(args):
    """Starts the sides, one after the other; ours comes first."""
    case = ["--row", args.row, "--shape", args.shape, "--mode", args.mode]
    ours = [sys.executable, HERE / "keras_model.py", *case]
    for name in FORMS if args.mode == "inference" else [KERAS]:
        yield Worker(name, [*ours, *FORMS[name]], environment=OUR_SIDE)
    peer = [args.peer_python, HERE / "peer_mmaction2.py", *case]
    yield Worker(PYTORCH, peer, environment=PEER_SIDE)
    yield Worker(CHANNELS_LAST, [*peer, "--channels_last"], environment=PEER_SIDE)


def measure(args):
    """Starts the sides, prints their facts and their comparison; a `harness.Comparison`."""
    print(f"{args.row}, {args.shape}, {args.mode}; {report.machine()}", flush=True)
    with run_workers(workers(args)) as sides:
        for side in sides:
            print(f"{side.name}: {', '.join(f'{k} {v}' for k, v in side.facts.items())}")
        comparison = harness.compare(
            sides, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )
    print(report.table(comparison), flush=True)
    return comparison


def main():
    args = build_parser().parse_args()
    comparison = measure(args)
    if args.json:
        report.write_json(args.json, {args.mode: comparison})


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
