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
from process import Worker, WorkerError, started

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


def parser():
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--row", required=True, help="row of the zoo, the name of its config")
    made.add_argument("--shape", required=True, help="batch,frames,height,width,channels")
    made.add_argument("--mode", choices=("inference", "train"), default="inference")
    harness_flags(made)
    return made


def harness_flags(made, needs_peer=True):
    """Adds the flags that every comparison takes."""
    made.add_argument(
        "--peer_python", required=needs_peer, help="Python of the PyTorch environment"
    )
    made.add_argument("--rounds", type=int, default=10, help="number of undisturbed rounds")
    made.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    made.add_argument("--busy_limit", type=float, default=0.1, help="cores other processes may use")
    made.add_argument("--json", help="file to write every measurement to")


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
    with started(workers(args)) as sides:
        for side in sides:
            print(f"{side.name}: {', '.join(f'{k} {v}' for k, v in side.facts.items())}")
        measured = harness.compare(
            sides, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )
    print(report.table(measured), flush=True)
    return measured


def main():
    args = parser().parse_args()
    measured = measure(args)
    if args.json:
        report.write_json(args.json, {args.mode: measured})


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
