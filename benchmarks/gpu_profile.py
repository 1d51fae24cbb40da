"""Where a GPU spends the time of a step of a network, by the kernels in JAX's profile.

    python benchmarks/gpu_profile.py --network videomae_b --mode train [--batch 32]

Networks are those of gpu.py. Needs Keras and JAX, but not TensorFlow; without a GPU it ends with an
error. XLA's flags are taken from `XLA_FLAGS`, as usual.
"""

import argparse
import collections
import dataclasses
import os
import sys
import tempfile
from pathlib import Path

import gpu_cases
import gpu_side

# Prefixes of the names of XLA's own kernels, and parts of the names of cuDNN's fused attention, of
# its convolutions, and of matrix products by cuBLAS and Triton.
OWN = ("loop_", "input_", "wrapped_", "fusion")
KINDS = {
    "attention": ("sdpa", "fmha", "compute_dot_do_o", "convert_dq"),
    "convolutions": ("fprop", "dgrad", "wgrad", "conv"),
    "products": ("nvjet", "gemm", "cutlass"),
}
STEPS = 3


def kind(kernel):
    """The kind of a kernel, by its name."""
    if kernel.startswith(OWN):
        return "all else"
    kinds = (name for name, parts in KINDS.items() if any(part in kernel for part in parts))
    return next(kinds, "all else")


def kernels(planes):
    """Nanoseconds per kernel, from the events in the streams of all GPUs."""
    durations = collections.Counter()
    for plane in planes:
        if "GPU" not in plane.name:
            continue
        for line in plane.lines:
            if line.name.startswith("Stream"):
                for event in line.events:
                    durations[event.name] += event.duration_ns
    return durations


def table(durations, steps, most=15):
    """Lines: milliseconds per step and percentages, by kind, then of the longest kernels."""
    total = sum(durations.values())
    by_kind = collections.Counter()
    for name, nanoseconds in durations.items():
        by_kind[kind(name)] += nanoseconds
    parts = [("all kernels", total), *by_kind.most_common()]
    parts += [(f"  {name}", nanoseconds) for name, nanoseconds in durations.most_common(most)]
    return "\n".join(
        f"{value / 1e6 / steps:9.3f} ms {100 * value / total:5.1f} %  {name[:90]}"
        for name, value in parts
    )


def profile_steps(run, wait):
    """Nanoseconds per kernel over `STEPS` steps."""
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(STEPS):
                outputs = run()
            wait(outputs)
        (file,) = Path(folder).rglob("*.xplane.pb")
        return kernels(jax.profiler.ProfileData.from_file(str(file)).planes)


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--network", choices=list(gpu_cases.NETWORKS), required=True)
    parser.add_argument("--mode", choices=gpu_cases.MODES, default="train")
    parser.add_argument("--dtype", choices=gpu_cases.DTYPES, default="bfloat16")
    parser.add_argument("--batch", type=int, help="clips per step")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to try the script")
    return parser


def main(argv=None):
    args = build_parser().parse_args(argv)
    os.environ["KERAS_BACKEND"] = "jax"
    import gpu_keras

    if args.batch:
        network = gpu_cases.NETWORKS[args.network]
        gpu_cases.NETWORKS[args.network] = dataclasses.replace(network, batch=args.batch)
    side = gpu_side.Side("jax", args.smoke)
    run, facts = gpu_keras.prepare(("model", args.network, args.mode, args.dtype, True), args.smoke)
    for _ in range(2):
        side.wait(run())
    seconds = gpu_side.measure(side, run)["seconds"]
    rate = facts["batch"] / seconds
    flops = rate * facts["flops_per_clip"]
    print(
        f"{side.versions['device']}: {1000 * seconds:.3f} ms a step, {rate:.1f} clips/s, "
        f"{flops / 1e12:.1f} TFLOP/s",
        flush=True,
    )
    durations = profile_steps(run, side.wait)
    if not durations:
        sys.exit(f"{side.versions['device']}: the profiler recorded no GPU kernels.")
    print(table(durations, STEPS))


if __name__ == "__main__":
    main()
