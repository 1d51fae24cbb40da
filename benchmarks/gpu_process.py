"""The processes of gpu.py: one per side and network, stopped while another one measures."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import gpu_cases

HERE = Path(__file__).resolve().parent
# JAX would preallocate most of the memory, and it never releases what it has allocated.
JAX_MEMORY = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.35"}
ON_CPU = {"JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}


class Process:
    """A process of a side, which is restarted after a case that crashed it.

    Args:
        side: "jax", "torch" or "peer".
        networks, extras: what it runs, see `gpu_cases.plan`.
        args: the command line of gpu.py.
        deadline: when it has to end, as `time.time()`.
        on_message: called with `(process, message)` for every line of its output, from a thread.
    """

    def __init__(self, side, networks, extras, args, deadline, on_message):
        self.side = side
        self.cases = gpu_cases.plan(
            side, networks, args.modes, args.dtypes, extras, args.forms == "usual"
        )
        self.done = {}
        self._on_message, self._smoke = on_message, args.smoke
        flags = {"side": [side], "networks": networks, "modes": args.modes, "dtypes": args.dtypes,
                 "extras": extras, "deadline": [deadline], "seconds": [args.seconds]}  # fmt: skip
        if args.peers:
            flags["peers"] = [str(Path(args.peers).resolve())]
        self._command = [sys.executable, HERE / "gpu_side.py"]
        for name, values in flags.items():
            self._command += [f"--{name}", *values]
        self._command += ["--smoke"] if args.smoke else []
        self._command += ["--usual"] if args.forms == "usual" else []
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process, self._lock = None, threading.Lock()
        self._stopped = self._killed = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def measure(self):
        """Grants its request to measure."""
        with contextlib.suppress(OSError):  # it has ended
            self._process.stdin.write("go\n")
            self._process.stdin.flush()

    def stop(self):
        """Suspends it and its compilers until `resume`."""
        with self._lock:
            self._stopped = True
            self._signal(signal.SIGSTOP)

    def resume(self):
        with self._lock:
            self._stopped = False
            self._signal(signal.SIGCONT)

    def kill(self):
        with self._lock:
            self._killed = True
            self._signal(signal.SIGKILL)

    def _signal(self, number):
        with contextlib.suppress(OSError, AttributeError):  # it has ended, or not started
            os.killpg(self._process.pid, number)

    def _run(self):
        first = 0
        while first < len(self.cases):
            ended, current = False, first
            with self._lock:
                if self._killed:
                    break
                self._process = self._start_process(first)
                if self._stopped:
                    self._signal(signal.SIGSTOP)
            for line in self._process.stdout:
                message = json.loads(line)
                ended = ended or "end" in message
                current = message.get("start", current)
                self._on_message(self, message)
            code = self._process.wait()
            if ended or self._killed:
                break
            error = f"the process ended with exit code {code}: {self._last_output()}"
            self._on_message(self, {"number": current, "found": {"error": error}})
            first = current + 1
        self._on_message(self, None)

    def _start_process(self, first):
        environment = {**os.environ, "KERAS_BACKEND": self.side, "PYTHONUNBUFFERED": "1"}
        environment |= JAX_MEMORY if self.side == "jax" else {}
        environment |= ON_CPU if self._smoke else {}
        paths = [str(gpu_cases.ROOT), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        if self.side == "peer":
            del environment["KERAS_BACKEND"]
        return subprocess.Popen(
            [str(part) for part in (*self._command, "--first", first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            process_group=0,  # so that signals reach the compilers that it starts
        )

    def _last_output(self):
        self._errors.seek(0)
        return " | ".join(self._errors.read().strip().splitlines()[-3:])[-600:]


class Turns:
    """Lets one process at a time measure, while all others are stopped.

    Some networks compile for minutes and try out kernels on the GPU meanwhile, so measurements
    should neither wait for compilation nor run beside it.
    """

    def __init__(self, processes):
        self._processes = processes
        self._waiting, self._current = [], None

    def request_turn(self, process):
        """Queues a process that is ready to measure."""
        self._waiting.append(process)
        if self._current is None:
            self._next()

    def end_turn(self, process):
        """Ends the turn of a process that has measured or exited."""
        if process in self._waiting:
            self._waiting.remove(process)
        if process is self._current:
            self._next()

    def _next(self):
        self._current = self._waiting.pop(0) if self._waiting else None
        for process in self._processes:
            if self._current in (None, process):
                process.resume()
            else:
                process.stop()
        if self._current:
            self._current.measure()
