"""Messages between the processes of a data service: JSON and arrays, nothing that runs."""

import json
import math
import socket
import struct

import numpy as np

_LENGTH = struct.Struct("!Q")
LARGEST_TEXT = 1 << 24
LARGEST_ARRAY = 1 << 33
_TYPES = frozenset(("bool", "uint8", "int32", "int64", "float16", "float32", "float64"))


class WireError(ValueError):
    """What came is no message of a data service."""


def connect(address, timeout=10.0):
    """A connection to `"host:port"`, which is noticed to be broken within half a minute."""
    host, port = parse_address(address)
    connection = socket.create_connection((host, port), timeout=timeout)
    keep_alive(connection)
    return connection


def parse_address(address):
    """Host and port of `"host:port"`, with or without `grpc://` or `tcp://` before it.

    Raises:
        ValueError: it is no such address.
    """
    host, _, port = str(address).rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"received the address {address!r}, expected 'host:port'")
    return host.strip("[]"), int(port)


def keep_alive(connection):
    """Lets the system find out that the other machine is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def send(connection, content, arrays=()):
    """Sends JSON values, and arrays of numbers behind them."""
    arrays = [np.asarray(array, order="C") for array in arrays]
    forms = [[str(array.dtype), list(array.shape)] for array in arrays]
    text = json.dumps({"content": content, "arrays": forms}).encode()
    connection.sendall(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        connection.sendall(array.reshape(-1).view(np.uint8))


def receive(connection):
    """The next message: `(content, arrays)`.

    Raises:
        WireError: it is no message.
        ConnectionError: the other side has closed the connection.
        TimeoutError: nothing came in the time that is set for the connection.
    """
    (length,) = _LENGTH.unpack(_take(connection, _LENGTH.size))
    if length > LARGEST_TEXT:
        raise WireError(f"received a message of {length} bytes, expected at most {LARGEST_TEXT}")
    try:
        message = json.loads(_take(connection, length))
        content, forms = message["content"], message["arrays"]
        shapes = [_checked_form(*form) for form in forms]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(f"received no message of a data service: {error!r}") from error
    arrays = []
    for dtype, shape in shapes:
        content_bytes = _take(connection, math.prod(shape) * np.dtype(dtype).itemsize)
        arrays.append(np.frombuffer(content_bytes, dtype).reshape(shape))
    return content, arrays


def _checked_form(dtype, shape):
    if dtype not in _TYPES or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"received an array {dtype!r} {shape!r}")
    if math.prod(shape) * np.dtype(dtype).itemsize > LARGEST_ARRAY:
        raise ValueError(f"received an array {shape}, expected at most {LARGEST_ARRAY} bytes")
    return dtype, shape


def _take(connection, count):
    buffer, done = bytearray(count), 0
    view = memoryview(buffer)
    while done < count:
        received = connection.recv_into(view[done:])
        if not received:
            raise ConnectionError("the connection was closed")
        done += received
    return buffer
