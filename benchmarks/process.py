"""A side of a comparison that is a separate process, in any environment."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading

import idle


class WorkerError(RuntimeError):
    """A worker could not be started, failed, or did not answer in time."""


class Worker:
    """A running worker process (see worker.py for its protocol).

    Args:
        name: name of this side in tables.
        command: the command as a list of strings.
        cores: number of cores that the worker and its children are pinned to, if the system
            supports it; None for all.
        environment: variables set on top of this process's; None as a value removes one.
        timeout: seconds to wait for one answer before the worker is killed.

    Raises:
        WorkerError: the worker ended, failed or did not answer; ends with its last output.
    """

    def __init__(self, name, command, *, cores=None, environment=None, timeout=900):
        self.name = name
        self.facts = {}
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        try:
            with _pin_to_cores(cores):
                self._process = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    text=True,
                    env=_variables(environment or {}),
                    # The CPU time of its children is summed over their session.
                    start_new_session=True,
                )
        except OSError as error:
            raise WorkerError(f"{name}: cannot start {command[0]}: {error}") from error

    def wait_ready(self):
        """Waits until the worker has built its subject; stores what it reports in `facts`."""
        self.facts = self._answer("ready")

    def measure(self, repeats):
        """Seconds of each of `repeats` repetitions.

        Raises:
            WorkerError: as for the constructor; also if the worker has ended since it was ready.
        """
        with contextlib.suppress(BrokenPipeError):  # it has ended, which `_answer` reports
            self._process.stdin.write(f"run {repeats}\n")
            self._process.stdin.flush()
        return self._answer("seconds")

    def cpu_seconds(self):
        """CPU seconds the worker and its children have used."""
        return idle.session_cpu_seconds(self._process.pid)

    def read_stderr(self):
        """The worker's standard error so far, which includes the output of libraries."""
        self._errors.seek(0)  # the worker shares the offset, which reading leaves at the end
        return self._errors.read()

    def close(self):
        """Ends the worker and its children."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self, key):
        timed_out = threading.Event()
        timer = threading.Timer(self._timeout, lambda: timed_out.set() or self._kill())
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        message = json.loads(line) if line else {}
        if key in message:
            return message[key]
        reason = message.get("error") or self._exit_reason(timed_out.is_set())
        raise WorkerError(f"{self.name}: {reason}\n{self._last_output()}")

    def _exit_reason(self, timed_out):
        if timed_out:
            return f"no answer (waited at most {self._timeout} s)"
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return "killed by SIGKILL, probably out of memory"
        return f"ended with exit code {code}"

    def _last_output(self):
        return "\n".join(self.read_stderr().splitlines()[-20:])

    def _kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@contextlib.contextmanager
def run_workers(workers):
    """Yields the list of workers when all are ready, and closes them at the end.

    Args:
        workers: iterable of `Worker`; a generator starts each after the one before is ready.
    """
    with contextlib.ExitStack() as stack:
        running = []
        for worker in workers:
            stack.callback(worker.close)
            worker.wait_ready()
            running.append(worker)
        yield running


@contextlib.contextmanager
def _pin_to_cores(cores):
    """Temporarily pins this process to the first cores, and thereby processes that it starts.

    Libraries size their thread pools by the available cores when they are loaded.
    """
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _variables(changes):
    variables = {**os.environ, **{k: v for k, v in changes.items() if v is not None}}
    for name in (k for k, v in changes.items() if v is None):
        variables.pop(name, None)
    return variables
