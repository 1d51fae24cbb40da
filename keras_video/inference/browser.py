"""Images shown in a browser, on this machine or through a forwarded port."""

import contextlib
import http.server
import io
import re
import select
import socket
import threading

from keras_video.inference.drawing import pillow

_PAGE = b"""<!doctype html><title>keras_video</title>
<body style="margin:0;background:#222"><img src="/stream" style="width:100%;max-height:100vh;
object-fit:contain">"""
_QUALITY = 85
# Seconds within which a request must arrive, and within which a browser must accept sent data.
REQUEST_SECONDS = 10.0
CONNECTIONS = 16
# With DNS rebinding, a page of another site sends that site's name. Any port is accepted, since it
# differs at the other end of a forwarded one.
_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", re.IGNORECASE)
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class BrowserWindow:
    """Serves the latest image as a stream of JPEGs (M-JPEG), to this machine only.

    A context manager; `show` replaces the image. A slow browser misses images; nothing waits for
    it. Up to 16 concurrent connections are served whose request arrives within 10 s and is to
    `localhost`, `127.0.0.1` or `[::1]`, so that no other site can read the images through the
    browser.

    Args:
        port: port to serve on; 0 takes any free one.

    Attributes:
        address: URL to open in a browser.

    Raises:
        OSError: if the port is taken.
    """

    def __init__(self, port=8000):
        self._image = None
        self._number = 0
        self._changed = threading.Condition()
        self._closed = False
        try:
            self._server = _Server(("127.0.0.1", port), self._handler())
        except OSError as error:
            raise OSError(f"port={port}: {error.strerror}; expected a free port") from error
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def show(self, image):
        """Shows an image, uint8 RGB `(height, width, 3)`."""
        encoded = io.BytesIO()
        pillow().Image.fromarray(image).save(encoded, "JPEG", quality=_QUALITY)
        with self._changed:
            self._image = encoded.getvalue()
            self._number += 1
            self._changed.notify_all()

    def _images(self, connection):
        """Yields each new image as long as the client is connected."""
        last = 0
        while True:
            with self._changed:
                while not self._closed and self._number == last:
                    if not self._changed.wait(1.0) and _hung_up(connection):
                        return
                if self._closed:
                    return
                last, image = self._number, self._image
            yield image

    def _handler(self):
        window = self

        class Handler(_Handler):
            def images(self):
                return window._images(self.connection)

        return Handler


def _hung_up(connection):
    """Whether the client, which sends nothing after its request, has closed a connection."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


class _Server(http.server.ThreadingHTTPServer):
    """An HTTP server with a limited number of concurrent connections."""

    daemon_threads = True

    def __init__(self, *args):
        self._free = threading.Semaphore(CONNECTIONS)
        super().__init__(*args)

    def process_request(self, request, client_address):
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.settimeout(1.0)
            request.sendall(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request, client_address):
        pass  # the connection broke or was closed


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request; see `BrowserWindow`."""

    def setup(self):
        self.timeout = REQUEST_SECONDS
        super().setup()
        # The timeout is per read: a client sending byte by byte would never reach it.
        self._deadline = threading.Timer(REQUEST_SECONDS, self._give_up)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self):
        self._deadline.cancel()
        super().finish()

    def _give_up(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self):
        self._deadline.cancel()
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0].strip()):
            self.send_error(421, f"Host {', '.join(hosts)!r:.100}, expected localhost")
        elif self.path == "/":
            self._begin("text/html")
            self.wfile.write(_PAGE)
        elif self.path == "/stream":
            self._begin("multipart/x-mixed-replace; boundary=picture")
            self._stream()
        else:
            self.send_error(404)

    def _begin(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()

    def _stream(self):
        # Any socket error: the browser was closed or accepts no more data.
        with contextlib.suppress(OSError):
            for image in self.images():
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
                self.wfile.write(b"--picture\r\n" + head.encode() + image + b"\r\n")

    def log_message(self, *arguments):
        pass
