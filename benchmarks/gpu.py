"""Measures training and inference on one NVIDIA GPU: Keras on JAX and on torch, beside PyTorch.

    python benchmarks/gpu.py --json gpu.json --peers FOLDER --minutes 8
    python benchmarks/gpu.py --json gpu.json --smoke            (tiny sizes on the CPU)

Needs Keras, JAX and PyTorch, and no TensorFlow; what is missing is skipped and said. The JSON is
written after every case; cases that `--minutes` leave no time for are listed in it.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import gpu_cases
import gpu_report

HERE = Path(__file__).resolve().parent
NEEDS = {"jax": ("keras", "jax"), "torch": ("keras", "torch"), "peer": ("torch",)}
# JAX would take most of the memory at its start, and does not give back what it took.
JAX_MEMORY = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.35"}
ON_CPU = {"JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}


class Process:
    """A process of a side, started anew after the case that ended it.

    Args:
        side: "jax", "torch" or "peer".
        networks, extras: what it does, see `gpu_cases.plan`.
        args: the command line of this script.
        deadline, lock: the moment to end at, and the file of the common lock.
        tell: called with `(process, message)` for every line, from a thread.
    """

    def __init__(self, side, networks, extras, args, deadline, lock, tell):
        self.side = side
        self.cases = gpu_cases.plan(
            side, networks, args.modes, args.dtypes, extras, args.forms == "usual"
        )
        self.done = {}
        self._tell, self._smoke = tell, args.smoke
        flags = {"side": [side], "networks": networks, "modes": args.modes, "dtypes": args.dtypes,
                 "extras": extras, "lock": [lock], "deadline": [deadline],
                 "seconds": [args.seconds]}  # fmt: skip
        if args.peers:
            flags["peers"] = [str(Path(args.peers).resolve())]
        self._command = [sys.executable, HERE / "gpu_side.py"]
        for name, values in flags.items():
            self._command += [f"--{name}", *values]
        self._command += ["--smoke"] if args.smoke else []
        self._command += ["--usual"] if args.forms == "usual" else []
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def kill(self):
        with contextlib.suppress(OSError, AttributeError):
            self._process.kill()

    def _run(self):
        first = 0
        while first < len(self.cases):
            ended, current = False, first
            self._process = self._started(first)
            for line in self._process.stdout:
                message = json.loads(line)
                ended = ended or "end" in message
                current = message.get("start", current)
                self._tell(self, message)
            code = self._process.wait()
            if ended or code == -9:  # all done, out of time, or killed by this script
                break
            error = f"the process ended with {code}: {self._last_words()}"
            self._tell(self, {"number": current, "found": {"error": error}})
            first = current + 1
        self._tell(self, None)

    def _started(self, first):
        environment = {**os.environ, "KERAS_BACKEND": self.side, "PYTHONUNBUFFERED": "1"}
        environment |= JAX_MEMORY if self.side == "jax" else {}
        environment |= ON_CPU if self._smoke else {}
        paths = [str(gpu_cases.ROOT), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        if self.side == "peer":
            del environment["KERAS_BACKEND"]
        command = [str(part) for part in (*self._command, "--first", first)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )

    def _last_words(self):
        self._errors.seek(0)
        return " | ".join(self._errors.read().strip().splitlines()[-3:])[-600:]


def processes(args, deadline, lock, tell):
    """The processes of all sides whose packages are here, and what is missing by side."""
    ours = args.networks
    missing = {
        side: [name for name in needs if importlib.util.find_spec(name) is None]
        for side, needs in NEEDS.items()
    }
    groups = [ours[first :: args.processes] for first in range(args.processes)]
    others = [[]] * (args.processes - 1)
    shares = [
        *(("jax", *one) for one in zip(groups, [["depthwise", "logits"], *others], strict=True)),
        ("torch", ours, ["logits", "depthwise"]),
        *(("peer", *one) for one in zip(groups, [["peak"], *others], strict=True)),
    ]
    made = [
        Process(side, networks, [one for one in extras if one in args.extras], args, deadline,
                lock, tell)
        for side, networks, extras in shares
        if side in args.sides and not missing[side] and (networks or extras)
    ]  # fmt: skip
    return made, {side: names for side, names in missing.items() if names and side in args.sides}


def measure(args):
    """Runs all processes until they end or the time is over; returns the results."""
    start = time.time()
    deadline = start + 60 * args.minutes
    messages = queue.Queue()
    with tempfile.TemporaryDirectory() as folder:
        running, missing = processes(
            args, deadline, Path(folder) / "lock", lambda *message: messages.put(message)
        )
        results = gpu_report.Results(args.json, missing)
        for one in running:
            one.start()
        left = list(running)
        while left and time.time() < deadline:
            with contextlib.suppress(queue.Empty):
                process, message = messages.get(timeout=1)
                if message is None:
                    left.remove(process)
                else:
                    took(results, process, message, start)
        for one in running:
            one.kill()
        skipped = {
            f"{one.side}: {gpu_cases.key(case)}": "no time left"
            for one in running
            for number, case in enumerate(one.cases)
            if number not in one.done
        }
        results.finish(skipped, time.time() - start)
    return results


def took(results, process, message, start):
    """Writes down what a process has found."""
    if "versions" in message:
        results.versions(process.side, message["versions"])
    elif "number" in message:
        case = process.cases[message["number"]]
        process.done[message["number"]] = True
        line = results.add(process.side, case, message["found"])
        print(f"{time.time() - start:5.0f} s  {process.side}: {line}", flush=True)


def parser():
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--json", required=True, help="file to write the results to")
    made.add_argument(
        "--minutes", type=float, default=8, help="after which what is left is skipped"
    )
    made.add_argument("--peers", help="folder of mmaction2_peer.py")
    names = list(gpu_cases.NETWORKS)
    made.add_argument("--networks", nargs="+", choices=names, default=names)
    made.add_argument("--modes", nargs="+", choices=gpu_cases.MODES, default=gpu_cases.MODES)
    made.add_argument("--dtypes", nargs="+", choices=gpu_cases.DTYPES, default=gpu_cases.DTYPES)
    made.add_argument("--sides", nargs="+", choices=tuple(NEEDS), default=tuple(NEEDS))
    extras = ("logits", "peak", "depthwise")
    made.add_argument("--extras", nargs="*", choices=extras, default=extras)
    made.add_argument("--processes", type=int, help="of JAX and of PyTorch; one per network")
    made.add_argument("--seconds", type=float, default=None, help="that a measurement fills")
    made.add_argument(
        "--forms", choices=("all", "usual"), default="all", help="usual: without torch.compile"
    )
    made.add_argument("--smoke", action="store_true", help="tiny sizes on the CPU")
    return made


def main(argv=None):
    args = parser().parse_args(argv)
    if args.processes is None:
        args.processes = 1 if args.smoke else len(args.networks)
    if args.seconds is None:
        args.seconds = 0.01 if args.smoke else 1.2
    print(measure(args).table(), flush=True)


if __name__ == "__main__":
    main()
