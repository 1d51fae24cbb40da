"""An HTTP server on the loopback interface with scripted faults."""

import hashlib
import http.server
import re
import socket
import threading
import time

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
        byte_range = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.requests.append((self.path, int(byte_range[1]) if byte_range else 0))
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if fault == "no answer":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "dripping header":
            self.drip(b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 1000)
            return
        kind, _, value = fault.partition(" ")
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", value)
            self.end_headers()
            return
        start = int(byte_range[1]) if byte_range and server.ranges else 0
        self.send_response(206 if start else 204 if fault == "no content" else 200)
        if start:
            first = start + 1 if fault == "wrong range" else start
            total = len(server.content)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        if kind == "length":
            for length in value.split(" and "):
                self.send_header("Content-Length", length)
        elif fault not in ("no length", "endless"):
            self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        self.send_body(server.content[start:], fault)

    def send_body(self, body, fault):
        if fault == "dripping":
            self.drip(body)
            return
        if fault == "truncated":
            body = body[: len(body) // 2]
        pieces = [body[i : i + 65536] for i in range(0, len(body), 65536)]
        try:
            while fault == "endless":
                self.wfile.write(pieces[0])
            for piece in pieces:
                self.wfile.write(piece)
                if fault == "slow":
                    time.sleep(0.03)
        except OSError:
            pass  # The client was killed, which is the test.

    def drip(self, body):
        try:
            for i in range(len(body)):
                self.wfile.write(body[i : i + 1])
                time.sleep(0.02)
        except OSError:
            pass  # The client disconnected, which is the test.
