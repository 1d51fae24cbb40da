"""Measures training and inference on one NVIDIA GPU: Keras on JAX and on torch, beside PyTorch.

    python benchmarks/gpu.py --json gpu.json --peers FOLDER --minutes 8
    python benchmarks/gpu.py --json gpu.json --smoke            (tiny sizes on the CPU)

Needs Keras, JAX and PyTorch, but not TensorFlow; sides whose packages are missing are skipped and
reported. The JSON is written after every case and lists cases that `--minutes` left no time for.
"""

import argparse
import contextlib
import importlib.util
import queue
import time

import gpu_cases
import gpu_process
import gpu_report

NEEDS = {"jax": ("keras", "jax"), "torch": ("keras", "torch"), "peer": ("torch",)}


def create_processes(args, deadline, on_message):
    """Creates the processes of all installed sides; also returns the missing packages by side."""
    selected = args.networks
    missing = {
        side: [name for name in needs if importlib.util.find_spec(name) is None]
        for side, needs in NEEDS.items()
    }
    groups = [selected[first :: args.processes] for first in range(args.processes)]
    others = [[]] * (args.processes - 1)
    assignments = [
        *(("jax", *work) for work in zip(groups, [["depthwise", "logits"], *others], strict=True)),
        ("torch", selected, ["logits", "depthwise"]),
        *(("peer", *work) for work in zip(groups, [["peak"], *others], strict=True)),
    ]
    processes = [
        gpu_process.Process(
            side,
            networks,
            [extra for extra in extras if extra in args.extras],
            args,
            deadline,
            on_message,
        )
        for side, networks, extras in assignments
        if side in args.sides and not missing[side] and (networks or extras)
    ]
    return processes, {
        side: names for side, names in missing.items() if names and side in args.sides
    }


def measure(args):
    """Runs all processes until they end or time runs out; returns the results."""
    start = time.time()
    deadline = start + 60 * args.minutes
    messages = queue.Queue()
    running, missing = create_processes(args, deadline, lambda *message: messages.put(message))
    results = gpu_report.Results(args.json, missing)
    turns = gpu_process.Turns(running)
    for process in running:
        process.start()
    remaining = list(running)
    try:
        while remaining and time.time() < deadline:
            with contextlib.suppress(queue.Empty):
                process, message = messages.get(timeout=1)
                if message is None:
                    remaining.remove(process)
                else:
                    handle_message(results, turns, process, message, start)
    finally:
        for process in running:
            process.kill()
    skipped = {
        f"{process.side}: {gpu_cases.key(case)}": "no time left"
        for process in running
        for number, case in enumerate(process.cases)
        if number not in process.done
    }
    results.finish(skipped, time.time() - start)
    return results


def handle_message(results, turns, process, message, start):
    """Handles a message from a process: grants its requests and records its results."""
    if "asks" in message:
        turns.request_turn(process)
    elif "over" in message:
        turns.end_turn(process)
    elif "versions" in message:
        results.versions(process.side, message["versions"])
    elif "number" in message:
        turns.end_turn(process)  # if the case crashed its process while measuring
        case = process.cases[message["number"]]
        process.done[message["number"]] = True
        line = results.add(process.side, case, message["found"])
        print(f"{time.time() - start:5.0f} s  {process.side}: {line}", flush=True)


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", required=True, help="file to write the results to")
    parser.add_argument(
        "--minutes", type=float, default=8, help="time limit; the remaining cases are skipped"
    )
    parser.add_argument("--peers", help="folder that contains mmaction2_peer.py")
    names = list(gpu_cases.NETWORKS)
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--modes", nargs="+", choices=gpu_cases.MODES, default=gpu_cases.MODES)
    parser.add_argument("--dtypes", nargs="+", choices=gpu_cases.DTYPES, default=gpu_cases.DTYPES)
    parser.add_argument("--sides", nargs="+", choices=tuple(NEEDS), default=tuple(NEEDS))
    extras = ("logits", "peak", "depthwise")
    parser.add_argument("--extras", nargs="*", choices=extras, default=extras)
    parser.add_argument(
        "--processes", type=int, help="of JAX and of PyTorch each; default: one per network"
    )
    parser.add_argument("--seconds", type=float, default=None, help="length of a measurement")
    parser.add_argument(
        "--forms", choices=("all", "usual"), default="all", help="usual: without torch.compile"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes on the CPU")
    return parser


def main(argv=None):
    args = build_parser().parse_args(argv)
    if args.processes is None:
        args.processes = 1 if args.smoke else len(args.networks)
    if args.seconds is None:
        args.seconds = 0.01 if args.smoke else 1.2
    print(measure(args).table(), flush=True)


if __name__ == "__main__":
    main()
