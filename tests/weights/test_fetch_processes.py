"""Several processes fetching one file, and processes stopped or killed during a fetch."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from keras_video.weights import fetch
from tests.weights.loopback import CONTENT, NAME, PREFIX, Server


@pytest.fixture
def server():
    running = Server()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


FETCH = """
import resource, signal, sys
from keras_video.weights.fetch import FetchError, fetch
url, prefix, cache, limit = sys.argv[1:]
if int(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    print(fetch(url, prefix, cache_dir=cache))
except FetchError as error:
    sys.exit(f"FetchError: {error}")
"""


def start(url, cache, limit=0):
    root = Path(fetch.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, url, PREFIX, str(cache), str(limit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


def run_at_once(code, count):
    """The stripped outputs of processes that run `code` concurrently."""
    root = Path(fetch.__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(root)},
        )
        for _ in range(count)
    ]
    finished = [process.communicate(timeout=300) for process in processes]
    assert all(process.returncode == 0 for process in processes), finished
    return [output.strip() for output, _ in finished]


def test_a_failed_write_leaves_nothing(server, cache):
    process = start(server.url, cache, limit=1 << 20)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "FetchError" in errors
    assert "File too large" in errors
    assert left_in(cache) == []


@pytest.mark.slow(every_change=True)
def test_concurrent_processes_download_once(server, cache):
    server.script = ["slow"]
    processes = [start(server.url, cache) for _ in range(3)]
    outputs = [process.communicate(timeout=300)[0].strip() for process in processes]
    assert outputs == [str(cache / NAME)] * 3
    assert len(server.requests) == 1
    assert left_in(cache) == [NAME]


def test_concurrent_threads_download_once(server, cache):
    server.script = ["slow"]
    threads = [
        threading.Thread(target=fetch.fetch, args=(server.url, PREFIX), kwargs={"cache_dir": cache})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert left_in(cache) == [NAME]


@pytest.mark.slow(every_change=True)
def test_a_waiting_process_takes_over_from_a_killed_one(server, cache):
    server.script = ["slow", "slow"]
    first = start(server.url, cache)
    wait_until(lambda: any(name.startswith(".part-") for name in left_in(cache)))
    second = start(server.url, cache)
    time.sleep(0.5)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=300)
    output, errors = second.communicate(timeout=300)
    assert output.strip() == str(cache / NAME), errors
    assert (cache / NAME).read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def test_leftovers_of_a_killed_process_are_removed_by_the_next(server, cache):
    server.script = ["slow"]
    process = start(server.url, cache)
    wait_until(lambda: any(name.startswith(".part-") for name in left_in(cache)))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert NAME not in left_in(cache)
    assert any(name.startswith(".part-") for name in left_in(cache))
    assert fetch.fetch(server.url, PREFIX, cache_dir=cache).read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
