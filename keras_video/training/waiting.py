"""What a process of several says while it waits for the others at the start.

TensorFlow waits inside a call that lets no other Python thread run. So a process of its own speaks,
for which this file is a script too: it ends when its standard input does.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time

# Seconds until the first word, and between later ones.
_FIRST, _EVERY = 8.0, 30.0


@contextlib.contextmanager
def told_waiting(peers, first=_FIRST, every=_EVERY):
    """Names on standard error, while its body runs, the peers that are waited for.

    Args:
        peers: addresses "host:port" by name, such as {"worker 1": "10.0.0.2:2222"}.
        first, every: seconds until the first message, and between later ones.
    """
    settings = json.dumps({"peers": peers, "first": first, "every": every})
    # -I: neither the folder of this file nor PYTHONPATH is searched for modules.
    command = [sys.executable, "-I", __file__, settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE):
        yield  # leaving closes the pipe, and waits for the process


def waiting_message(peers, seconds):
    """Who is waited for: those whose address does not answer, or all where each does."""
    silent = [name for name, address in peers.items() if not _answers(address)]
    named = ", ".join(f"{name} ({peers[name]})" for name in silent or peers)
    state = "nothing answers there" if silent else "there is an answer, but it has not joined yet"
    return f"Waiting for {named} since {seconds:.0f} s: {state}."


def _answers(address):
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except (OSError, ValueError):
        return False


def _speak(peers, first, every):
    """Prints a message every so often until standard input ends."""
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
    _speak(**json.loads(sys.argv[1]))
