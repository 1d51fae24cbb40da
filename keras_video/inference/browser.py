"""Pictures shown in a browser, on this machine or at the other end of a forwarded port."""

import http.server
import io
import threading

from keras_video.inference.drawing import pillow

_PAGE = b"""<!doctype html><title>keras_video</title>
<body style="margin:0;background:#222"><img src="/stream" style="width:100%;max-height:100vh;
object-fit:contain">"""
_QUALITY = 85


class BrowserWindow:
    """Serves the latest picture as a stream of JPEGs (M-JPEG), to this machine alone.

    A context manager; `show` replaces the picture. A slow browser misses pictures, nobody waits
    for it.

    Args:
        port: where it is served; 0 takes any free one.

    Attributes:
        address: what to open in a browser.

    Raises:
        OSError: if the port is taken.
    """

    def __init__(self, port=8000):
        self._picture = None
        self._number = 0
        self._changed = threading.Condition()
        self._closed = False
        try:
            self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        except OSError as error:
            raise OSError(f"port={port}: {error.strerror}; expected a free port") from error
        self._server.daemon_threads = True
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
        """Shows a picture, uint8 RGB `(height, width, 3)`."""
        encoded = io.BytesIO()
        pillow().Image.fromarray(image).save(encoded, "JPEG", quality=_QUALITY)
        with self._changed:
            self._picture = encoded.getvalue()
            self._number += 1
            self._changed.notify_all()

    def _pictures(self):
        """Pictures as they come, each newer than the one before."""
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._number > seen)  # noqa: B023
                if self._closed:
                    return
                seen, picture = self._number, self._picture
            yield picture

    def _handler(self):
        window = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/":
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
                self.end_headers()

            def _stream(self):
                try:
                    for picture in window._pictures():
                        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                        self.wfile.write(b"--picture\r\n" + head.encode() + picture + b"\r\n")
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the browser was closed

            def log_message(self, *arguments):
                pass

        return Handler
