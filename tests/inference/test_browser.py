"""The page that shows camera frames, requested as browsers and other clients do."""

import contextlib
import io
import socket
import time

import numpy as np
import pytest

from keras_video.inference import browser

Image = pytest.importorskip("PIL.Image")
PICTURE = np.full((16, 16, 3), 200, np.uint8)


@pytest.fixture
def window():
    with browser.BrowserWindow(port=0) as running:
        running.show(PICTURE)
        yield running


def connect(window):
    port = int(window.address.rstrip("/").rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def answer(window, *hosts, path="/"):
    """The first line of the response."""
    with connect(window) as connection:
        lines = [f"GET {path} HTTP/1.1", *(f"Host: {host}" for host in hosts), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        try:
            return connection.makefile("rb").readline().decode().strip()
        except ConnectionError:
            return "connection reset"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:9", "127.0.0.1:8000", "[::1]:80"]
)
def test_requests_to_this_machine_are_answered(window, host):
    assert answer(window, host).split()[1] == "200"


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("path", ["/", "/stream", "/other"])
@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"],
        ["evil.example:8000"],
        ["localhost.evil.example"],
        ["evil.example/localhost"],
        ["127.0.0.1.evil.example:8000"],
        ["localhost:8000@evil.example"],
        ["192.168.0.1:8000"],
        ["localhost:"],
        [""],
        [],
        ["localhost", "evil.example"],
    ],
)
def test_other_host_names_are_rejected(window, hosts, path):
    assert answer(window, *hosts, path=path).startswith("HTTP/1.0 421 Host")


def test_a_line_break_in_the_host_does_not_become_a_header(window):
    assert answer(window, "evil\x0bX: y").startswith("HTTP/1.0 421 Host 'evil\\x0bX: y'")


def closed_after(connection):
    """Seconds until the server closes the connection."""
    begin = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while connection.recv(1000):
            pass
    return time.monotonic() - begin


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_an_incomplete_request_is_closed(sent, monkeypatch):
    monkeypatch.setattr(browser, "REQUEST_SECONDS", 0.3)
    with browser.BrowserWindow(port=0) as window, connect(window) as connection:
        connection.sendall(sent)
        assert 0.2 < closed_after(connection) < 10


def test_a_trickling_request_is_closed(monkeypatch):
    monkeypatch.setattr(browser, "REQUEST_SECONDS", 0.3)
    with browser.BrowserWindow(port=0) as window, connect(window) as connection:
        begin = time.monotonic()
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(b"X")
                time.sleep(0.05)
        assert time.monotonic() - begin < 10


def test_a_stream_outlives_the_request_timeout(monkeypatch):
    monkeypatch.setattr(browser, "REQUEST_SECONDS", 0.3)
    with browser.BrowserWindow(port=0) as window, connect(window) as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.8)
        window.show(PICTURE)
        received = b""
        while b"\xff\xd9\r\n" not in received:
            received += connection.recv(10000)
        jpeg = received[received.index(b"\xff\xd8") :]
        assert Image.open(io.BytesIO(jpeg)).size == (16, 16)


def test_concurrent_connections_are_limited(monkeypatch):
    monkeypatch.setattr(browser, "CONNECTIONS", 3)
    with browser.BrowserWindow(port=0) as window, contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(window)) for _ in range(3)]
        wait_for(lambda: answer(window, "localhost").split()[1] == "503")
        held[0].close()
        wait_for(lambda: answer(window, "localhost").split()[1] == "200")


def test_a_disconnected_browser_frees_its_slot_without_a_new_frame(monkeypatch):
    monkeypatch.setattr(browser, "CONNECTIONS", 1)
    with browser.BrowserWindow(port=0) as window:
        with connect(window) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(10).startswith(b"HTTP/1.0 2")
        wait_for(lambda: answer(window, "localhost").split()[1] == "200")


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
