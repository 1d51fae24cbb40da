"""HTTP connections to untrusted servers: no other URL schemes, bounded waiting."""

from __future__ import annotations

import http.client
import io
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT_SECONDS = 30.0
# A connection that is slower than this over a whole window is aborted.
WINDOW_SECONDS = 60.0
LEAST_BYTES_PER_SECOND = 1000.0

_SCHEMES = ("http", "https")


def open_url(request: urllib.request.Request) -> http.client.HTTPResponse:
    """Opens an http or https URL and follows redirects to such URLs.

    Each read from the socket may take `TIMEOUT_SECONDS`, and header and body together must arrive
    at `LEAST_BYTES_PER_SECOND`, measured over windows of `WINDOW_SECONDS`.

    Raises:
        urllib.error.HTTPError: the server returns an error, or redirects to another scheme, from
            https to http, or in a loop.
        urllib.error.URLError: the connection fails.
        TimeoutError, http.client.HTTPException: there is no response in time, or it is not HTTP.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _RedirectHandler(),
        _HTTPHandler(),
        _HTTPSHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(request, timeout=TIMEOUT_SECONDS)


class _RedirectHandler(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, new_url):
        before, after = (urllib.parse.urlsplit(url).scheme for url in (request.full_url, new_url))
        if after not in _SCHEMES or (before, after) == ("https", "http"):
            file.close()
            raise urllib.error.HTTPError(
                request.full_url,
                code,
                f"redirects to {new_url!r}, expected an address of {before}",
                headers,
                None,
            )
        return super().redirect_request(request, file, code, message, headers, new_url)

    # The inherited method rejects some schemes before `redirect_request`, and follows others (ftp).
    def http_error_302(self, request, file, code, message, headers):
        location = headers.get("location", headers.get("uri", ""))
        target = urllib.parse.urljoin(request.full_url, location)
        if urllib.parse.urlsplit(target).scheme not in _SCHEMES:
            return self.redirect_request(request, file, code, message, headers, target)
        return super().http_error_302(request, file, code, message, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _WatchedReader(io.RawIOBase):
    """Reads from a socket, and raises if it is too slow."""

    def __init__(self, raw: io.RawIOBase):
        self._raw = raw
        self._window_start, self._received = time.monotonic(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        self._check()
        count = self._raw.readinto(buffer)
        self._received += count or 0
        return count

    def _check(self) -> None:
        seconds = time.monotonic() - self._window_start
        if seconds < WINDOW_SECONDS:
            return
        if self._received < LEAST_BYTES_PER_SECOND * seconds:
            raise TimeoutError(
                f"the server sent {self._received} bytes in {seconds:.1f} s, expected at least "
                f"{LEAST_BYTES_PER_SECOND:.0f} a second"
            )
        self._window_start, self._received = time.monotonic(), 0

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock, *args, **keywords):
        super().__init__(sock, *args, **keywords)
        self.fp = io.BufferedReader(_WatchedReader(self.fp.detach()))


class _HTTPConnection(http.client.HTTPConnection):
    response_class = _Response


class _HTTPSConnection(http.client.HTTPSConnection):
    response_class = _Response


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_HTTPConnection, request)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return self.do_open(_HTTPSConnection, request, context=self._context)
