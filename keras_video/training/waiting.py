"""Messages of a worker that waits for the others at the start.

TensorFlow waits inside a call that blocks all other Python threads. So a separate process prints
the messages, with this file as its script: it ends when its standard input is closed.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time

# Seconds until the first message, and between later ones.
_FIRST, _EVERY = 8.0, 30.0


@contextlib.contextmanager
def report_waiting(peers, first=_FIRST, every=_EVERY):
    """Context that prints the missing peers to standard error while its body runs.

    Args:
        peers: addresses "host:port" by name, such as {"worker 1": "10.0.0.2:2222"}.
        first, every: seconds until the first message, and between later ones.
    """
    settings = json.dumps({"peers": peers, "first": first, "every": every})
    # -I: modules are searched neither in the folder of this file nor in PYTHONPATH.
    command = [sys.executable, "-I", __file__, settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE):
        yield  # leaving closes the pipe and waits for the process


def waiting_message(peers, seconds):
    """The message naming the peers that do not answer, or all peers if each does."""
    silent = [name for name, address in peers.items() if not _answers(address)]
    names = ", ".join(f"{name} ({peers[name]})" for name in silent or peers)
    state = "no answer" if silent else "it answers, but has not joined yet"
    return f"Waiting for {names} for {seconds:.0f} s: {state}."


def _answers(address):
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except (OSError, ValueError):
        return False


def _print_messages(peers, first, every):
    """Prints a message at intervals until standard input is closed."""
    done = threading.Event()

    def read():
        sys.stdin.read()
        done.set()

    threading.Thread(target=read, daemon=True).start()
    started, wait = time.monotonic(), first
    while not done.wait(wait):
        print(waiting_message(peers, time.monotonic() - started), file=sys.stderr, flush=True)
        wait = every


if __name__ == "__main__":
    _print_messages(**json.loads(sys.argv[1]))
