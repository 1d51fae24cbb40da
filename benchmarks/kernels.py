"""Where the time of a step goes: to oneDNN's kernels, which Keras and PyTorch share, or elsewhere.

    python benchmarks/kernels.py --peer_python peer/bin/python --families r3d_18 slowonly_r50

For rows of runtimes.py and their originals, chosen by the same flags: milliseconds of a step (of
training, or of inference with `--mode inference`), split into oneDNN's convolutions and matrix
products (forward, input gradients, weight gradients), its other kernels, and everything else:
norms, activations, pooling, weight updates, copies, products that PyTorch leaves to MKL. Parses
oneDNN's output with `ONEDNN_VERBOSE=1`. TensorFlow runs one operation at a time here
(`TF_NUM_INTEROP_THREADS=1`), so that the parts add up.
"""

import argparse
import collections
import os
import statistics
import sys

import report
import runtimes
from process import WorkerError

REPEATS = 5
PASSES = {"backward_data": "input gradients", "backward_weights": "weight gradients"}
PRODUCTS = ("convolution", "deconvolution", "matmul", "inner_product", "gemm_api")
COLUMNS = ("forward", *PASSES.values(), "other kernels")


def kernels(lines):
    """Milliseconds by `COLUMNS`, parsed from oneDNN's output, and the number of kernels."""
    milliseconds = collections.Counter()
    count = 0
    for line in lines:
        fields = line.split(",")
        if fields[0] not in ("onednn_verbose", "dnnl_verbose") or "exec" not in fields:
            continue
        # …,exec,cpu,KIND,IMPLEMENTATION,PASS,…,MILLISECONDS
        _, kind, _, direction, *_ = fields[fields.index("exec") + 1 :]
        column = PASSES.get(direction, "forward") if kind in PRODUCTS else "other kernels"
        milliseconds[column] += float(fields[-1])
        count += 1
    return milliseconds, count


def measure_kernels(side):
    """Milliseconds of a step of a side: in total, and by `COLUMNS`.

    Raises:
        WorkerError: oneDNN has printed no kernels.
    """
    start = len(side.read_stderr())
    step = 1e3 * statistics.median(side.measure(REPEATS))
    milliseconds, count = kernels(side.read_stderr()[start:].splitlines())
    if not count:
        raise WorkerError(f"{side.name}: expected oneDNN to print its kernels, received none.")
    return step, {name: milliseconds[name] / REPEATS for name in COLUMNS}


def line(name, step, milliseconds):
    """A line of the table."""
    rest = step - sum(milliseconds.values())
    return f"| {name} | {' | '.join(f'{ms:.0f}' for ms in (step, *milliseconds.values(), rest))} |"


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    runtimes.add_case_flags(parser)
    parser.add_argument("--peer_python", required=True, help="Python of the PyTorch environment")
    parser.set_defaults(mode="train")
    return parser


def _print_side(name, side, failed):
    try:
        side.wait_ready()
        print(line(name, *measure_kernels(side)), flush=True)
    except WorkerError as error:
        failed.append(f"{name}: {str(error)[-300:]}")
    finally:
        side.close()


def main():
    args = build_parser().parse_args()
    os.environ |= {"ONEDNN_VERBOSE": "1", "TF_NUM_INTEROP_THREADS": "1"}
    print(report.machine(), flush=True)
    print(f"\n| milliseconds | a step | {' | '.join(COLUMNS)} | all else |")
    print("| --- |" + " ---: |" * (len(COLUMNS) + 2))
    failed = []
    for row, case in runtimes.selected_cases(args, failed):
        for batch in args.batches or [1]:
            sides = runtimes.workers(args, row, f"{batch},{case.shape}")
            for name, begin in sides:
                if not args.sides or name in args.sides:
                    _print_side(f"{row}, {batch}, {name}", begin(), failed)
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
