"""The real fetch path, against an HTTP server on the loopback interface."""

import errno
import hashlib
import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from keras_video.weights import download, fetch
from keras_video.weights.fetch import FetchError, cached_conversion

NAME = "tsn_r50-0123abcd.pth"
CONTENT = bytes(range(256)) * 16384  # 4 MiB
PREFIX = hashlib.sha256(CONTENT).hexdigest()[:8]


class Server(http.server.ThreadingHTTPServer):
    """Serves `CONTENT`, with the faults of `script`: one entry per request, then none."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.requests = []
        self.content = CONTENT
        self.ranges = True
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/zoo/{NAME}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        fault = server.script.pop(0) if server.script else "none"
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.requests.append((self.path, int(wanted[1]) if wanted else 0))
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if fault == "no answer":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        start = int(wanted[1]) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            first = start + 1 if fault == "wrong range" else start
            total = len(server.content)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        if fault != "no length":
            self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        self.send_body(server.content[start:], fault)

    def send_body(self, body, fault):
        if fault == "truncated":
            body = body[: len(body) // 2]
        pieces = [body[i : i + 65536] for i in range(0, len(body), 65536)]
        try:
            for piece in pieces:
                self.wfile.write(piece)
                if fault == "slow":
                    time.sleep(0.03)
        except OSError:
            pass  # The client was killed, which is the test.


@pytest.fixture
def server():
    running = Server()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(download, "RETRY_PAUSES_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)


def get(url, cache, prefix=PREFIX, **keywords):
    return fetch.fetch(url, prefix, cache_dir=cache, **keywords)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_downloaded_once_and_kept(server, cache):
    path = get(server.url, cache)
    assert path == cache / NAME
    assert path.read_bytes() == CONTENT
    assert get(server.url, cache) == path
    assert server.requests == [(f"/zoo/{NAME}", 0)]
    assert left_in(cache) == [NAME]


def test_the_cache_is_in_the_keras_home(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = fetch.fetch(server.url, PREFIX)
    assert path == tmp_path / "home" / "keras_video" / "checkpoints" / NAME


def test_a_query_is_not_part_of_the_name(server, cache):
    assert get(server.url + "?dl=0", cache).name == NAME


def test_a_damaged_cached_file_is_fetched_again(server, cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"half a file")
    assert get(server.url, cache).read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def test_a_cached_file_without_known_hash_is_taken(server, cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"mine")
    assert get(server.url, cache, prefix=None).read_bytes() == b"mine"
    assert server.requests == []


def test_wrong_hash_leaves_nothing_and_names_both(server, cache):
    with pytest.raises(FetchError, match="expected SHA-256 deadbeef.*received " + PREFIX):
        get(server.url, cache, prefix="deadbeef")
    assert left_in(cache) == []
    assert len(server.requests) == 1


def test_not_found_is_told_at_once(server, cache):
    server.script = [404]
    with pytest.raises(FetchError, match="HTTP status 404"):
        get(server.url, cache)
    assert len(server.requests) == 1
    assert left_in(cache) == []


@pytest.mark.parametrize("fault", [500, 503, "no answer"])
def test_a_passing_fault_is_tried_again(server, cache, fault):
    server.script = [fault, fault]
    assert get(server.url, cache).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_lasting_fault_is_told(server, cache):
    server.script = [500] * 9
    with pytest.raises(FetchError, match=r"HTTP status 500 .*\(4 tries\)"):
        get(server.url, cache)
    assert len(server.requests) == 4
    assert left_in(cache) == []


def test_a_broken_line_is_resumed_where_it_broke(server, cache):
    server.script = ["truncated"]
    assert get(server.url, cache).read_bytes() == CONTENT
    assert [start for _, start in server.requests] == [0, len(CONTENT) // 2]


def test_a_broken_line_starts_over_when_nothing_verifies_the_parts(server, cache):
    server.script = ["truncated"]
    assert get(server.url, cache, prefix=None).read_bytes() == CONTENT
    assert [start for _, start in server.requests] == [0, 0]


@pytest.mark.parametrize("fault", ["ignored range", "wrong range", 416])
def test_a_server_that_cannot_resume_sends_all_again(server, cache, fault):
    server.ranges = fault != "ignored range"
    server.script = ["truncated", fault]
    assert get(server.url, cache).read_bytes() == CONTENT


def test_a_truncated_file_is_told_in_bytes(server, cache):
    server.script = ["truncated"] * 9
    half, whole = len(CONTENT) // 2, len(CONTENT)
    with pytest.raises(FetchError, match=f"received {half} of {whole} bytes"):
        get(server.url, cache, prefix=None)
    assert left_in(cache) == []


def test_without_a_length_the_hash_finds_the_truncation(server, cache):
    server.script = ["no length"]
    assert get(server.url, cache).read_bytes() == CONTENT
    server.script, server.content = ["no length"], CONTENT[:1000]
    with pytest.raises(FetchError, match="wrong content"):
        get(server.url, cache / "other")
    assert left_in(cache / "other") == []


def test_without_network_the_message_says_which_file_to_put_where(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(FetchError) as caught:
        get(f"http://127.0.0.1:{port}/{NAME}", cache)
    message = str(caught.value)
    assert "no connection" in message
    assert str(cache / NAME) in message
    assert "KERAS_VIDEO_WEIGHTS" in message
    assert "KERAS_VIDEO_MIRROR" in message
    assert left_in(cache) == []


def test_a_mirror_is_asked_in_place_of_the_published_host(server, cache, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", server.url.removesuffix(f"zoo/{NAME}") + "mirror/")
    path = get(f"https://nowhere.invalid/deep/folder/{NAME}", cache)
    assert path.read_bytes() == CONTENT
    assert server.requests == [(f"/mirror/{NAME}", 0)]


def test_a_mirror_must_be_a_url(cache, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", "/some/folder")
    with pytest.raises(FetchError, match="/some/folder.*KERAS_VIDEO_WEIGHTS"):
        get(f"https://nowhere.invalid/{NAME}", cache)


def test_a_local_folder_comes_first(server, cache, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(CONTENT)
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    assert get(server.url, cache) == tmp_path / NAME
    assert server.requests == []
    assert left_in(cache) == []


def test_a_local_file_is_verified(server, cache, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(CONTENT + b"!")
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    with pytest.raises(FetchError, match=f"wrong content: expected SHA-256 {PREFIX}"):
        get(server.url, cache)


def test_a_local_folder_without_the_file_is_passed_by(server, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    assert get(server.url, cache) == cache / NAME
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path / "missing"))
    with pytest.raises(FetchError, match="missing, which is not a folder"):
        get(server.url, cache)


def test_a_full_disk_is_told_and_leaves_nothing(server, cache, monkeypatch):
    def write(progress, chunk):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download._Progress, "write", write)
    with pytest.raises(FetchError, match="the disk is full") as caught:
        get(server.url, cache)
    assert caught.value.errno == errno.ENOSPC
    assert len(server.requests) == 1
    assert left_in(cache) == []


def test_a_file_that_cannot_fit_is_not_begun(server, cache, monkeypatch):
    usage = download.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchError, match=f"the disk is full.*{len(CONTENT)} bytes wanted, 1000"):
        get(server.url, cache)
    assert left_in(cache) == []


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


def test_a_write_that_the_system_refuses_leaves_nothing(server, cache):
    process = start(server.url, cache, limit=1 << 20)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "FetchError" in errors
    assert "File too large" in errors
    assert left_in(cache) == []


def test_processes_at_once_download_once(server, cache):
    server.script = ["slow"]
    processes = [start(server.url, cache) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(cache / NAME)] * 3
    assert len(server.requests) == 1
    assert left_in(cache) == [NAME]


def test_threads_at_once_download_once(server, cache):
    server.script = ["slow"]
    threads = [threading.Thread(target=get, args=(server.url, cache)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert left_in(cache) == [NAME]


def test_a_waiting_process_takes_over_from_one_that_is_killed(server, cache):
    server.script = ["slow", "slow"]
    first = start(server.url, cache)
    wait_until(lambda: any(name.startswith(".part-") for name in left_in(cache)))
    second = start(server.url, cache)
    time.sleep(0.5)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    output, errors = second.communicate(timeout=60)
    assert output.strip() == str(cache / NAME), errors
    assert (cache / NAME).read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def test_what_a_killed_process_left_is_cleared_by_the_next(server, cache):
    server.script = ["slow"]
    process = start(server.url, cache)
    wait_until(lambda: any(name.startswith(".part-") for name in left_in(cache)))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert NAME not in left_in(cache)
    assert any(name.startswith(".part-") for name in left_in(cache))
    assert get(server.url, cache).read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_interrupt_leaves_nothing(server, cache, monkeypatch):
    def write(progress, chunk):
        raise KeyboardInterrupt

    monkeypatch.setattr(download._Progress, "write", write)
    with pytest.raises(KeyboardInterrupt):
        get(server.url, cache)
    assert left_in(cache) == []


def test_a_progress_bar_is_drawn_when_asked_for(server, cache, capsys):
    get(server.url, cache, verbose=True)
    assert str(len(CONTENT)) in capsys.readouterr().out


@pytest.mark.parametrize("url", ["ftp://host/a.pth", "http://host/", "http://h/..%2Fetc", "a.pth"])
def test_an_url_without_a_plain_file_name_is_refused(cache, url):
    with pytest.raises(ValueError, match="URL that ends in a file name"):
        get(url, cache)


@pytest.mark.parametrize("prefix", ["", "xyz", "12", "0" * 65])
def test_a_prefix_that_is_no_hash_is_refused(cache, prefix):
    with pytest.raises(ValueError, match="hexadecimal"):
        get(f"http://host/{NAME}", cache, prefix=prefix)


def convert_to(content, calls):
    def convert(target):
        calls.append(target)
        assert target.name.endswith(".weights.h5")
        target.write_bytes(content)

    return convert


def test_a_conversion_is_made_once_per_content_and_key(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    checkpoint = tmp_path / NAME
    checkpoint.write_bytes(b"one")
    calls = []
    first = cached_conversion(checkpoint, "tsn 1", convert_to(b"a", calls))
    assert first == cached_conversion(checkpoint, "tsn 1", convert_to(b"b", calls))
    assert first.read_bytes() == b"a"
    assert first.parent == tmp_path / "home" / "keras_video" / "converted"
    other = cached_conversion(checkpoint, "tsn 2", convert_to(b"c", calls))
    checkpoint.write_bytes(b"changed")
    third = cached_conversion(checkpoint, "tsn 1", convert_to(b"d", calls))
    assert len({first, other, third}) == len(calls) == 3
    assert left_in(first.parent) == sorted([first.name, other.name, third.name])


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    checkpoint = tmp_path / NAME
    checkpoint.write_bytes(b"one")

    def convert(target):
        target.write_bytes(b"half")
        raise ValueError("names are missing")

    with pytest.raises(ValueError, match="names are missing"):
        cached_conversion(checkpoint, "key", convert, cache_dir=tmp_path / "converted")
    assert left_in(tmp_path / "converted") == []


def test_conversions_at_once_are_made_once(tmp_path):
    checkpoint = tmp_path / NAME
    checkpoint.write_bytes(b"one")
    calls = []

    def convert(target):
        calls.append(target)
        time.sleep(0.2)
        target.write_bytes(b"whole")

    def run():
        cached_conversion(checkpoint, "key", convert, cache_dir=tmp_path / "converted")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(left_in(tmp_path / "converted")) == 1
