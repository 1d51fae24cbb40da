"""Messages between the processes of a data service: JSON and arrays, no executable code."""

import json
import math
import socket
import struct

import numpy as np

_LENGTH = struct.Struct("!Q")
MAX_TEXT_BYTES = 1 << 24
MAX_ARRAY_BYTES = 1 << 33
_TYPES = frozenset(("bool", "uint8", "int32", "int64", "float16", "float32", "float64"))


class WireError(ValueError):
    """The received data is not a message of a data service."""


def connect(address, timeout=10.0):
    """A connection to `"host:port"`; a lost peer is detected within half a minute."""
    host, port = parse_address(address)
    connection = socket.create_connection((host, port), timeout=timeout)
    keep_alive(connection)
    return connection


def parse_address(address):
    """Host and port of `"host:port"`, with an optional `grpc://` or `tcp://` prefix.

    Raises:
        ValueError: for any other address.
    """
    host, _, port = str(address).rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"received the address {address!r}, expected 'host:port'")
    return host.strip("[]"), int(port)


def keep_alive(connection):
    """Makes the operating system detect a lost peer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def send(connection, content, arrays=()):
    """Sends JSON values, followed by numeric arrays."""
    arrays = [np.asarray(array, order="C") for array in arrays]
    specs = [[str(array.dtype), list(array.shape)] for array in arrays]
    text = json.dumps({"content": content, "arrays": specs}).encode()
    connection.sendall(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        connection.sendall(array.reshape(-1).view(np.uint8))


def receive(connection):
    """The next message: `(content, arrays)`.

    Raises:
        WireError: if the data is not a valid message.
        ConnectionError: if the peer has closed the connection.
        TimeoutError: if nothing arrives within the timeout of the connection.
    """
    (length,) = _LENGTH.unpack(_take(connection, _LENGTH.size))
    if length > MAX_TEXT_BYTES:
        raise WireError(f"received a message of {length} bytes, expected at most {MAX_TEXT_BYTES}")
    try:
        message = json.loads(_take(connection, length))
        content, specs = message["content"], message["arrays"]
        shapes = [_checked_spec(*spec) for spec in specs]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(f"received an invalid message: {error!r}") from error
    arrays = []
    for dtype, shape in shapes:
        content_bytes = _take(connection, math.prod(shape) * np.dtype(dtype).itemsize)
        arrays.append(np.frombuffer(content_bytes, dtype).reshape(shape))
    return content, arrays


def _checked_spec(dtype, shape):
    if dtype not in _TYPES or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"received an array {dtype!r} {shape!r}")
    if math.prod(shape) * np.dtype(dtype).itemsize > MAX_ARRAY_BYTES:
        raise ValueError(f"received an array {shape}, expected at most {MAX_ARRAY_BYTES} bytes")
    return dtype, shape


def _take(connection, count):
    buffer, filled = bytearray(count), 0
    view = memoryview(buffer)
    while filled < count:
        received = connection.recv_into(view[filled:])
        if not received:
            raise ConnectionError("the connection was closed")
        filled += received
    return buffer
