"""An HTTP server on the loopback interface that serves a folder, with faults by path."""

import http.server
import re
import threading
import time
import urllib.parse


class FilesServer(http.server.ThreadingHTTPServer):
    """Serves the files of `folder`; `faults` has, by path, one fault per request, then none."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.faults = {}
        self.paths = []
        self.ranges = True
        self.closed = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        if not self.closed:
            self.closed = True
            self.shutdown()
            self.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, path = self.server, urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        server.paths.append(path)
        faults = server.faults.get(path, [])
        fault = faults.pop(0) if faults else None
        file = server.folder / path.lstrip("/")
        if isinstance(fault, int) or not file.is_file():
            self.send_error(fault if isinstance(fault, int) else 404)
            return
        content = file.read_bytes()
        byte_range = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(byte_range[1]) if byte_range and server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: len(body) // 2] if fault == "truncated" else body)
        if fault == "slow":
            time.sleep(1)
