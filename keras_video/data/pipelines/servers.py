"""The servers of a data service: a dispatcher that tracks the workers, and workers that read.

A worker builds the pipeline that a client describes as JSON, from the classes in `specs.py` and
those it was started with. It runs nothing else: no code or graphs are transferred.
"""

import contextlib
import dataclasses
import functools
import json
import socket
import socketserver
import threading
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from keras_video.zoo.limits import check_limits

from ..annotations.records import Record
from ..decoding.videos import DecodeError
from . import wire
from .clip_reader import ClipReader, check_options
from .processing import video_transform
from .report import DecodeReport
from .specs import KNOWN, decode

CONNECTIONS = 256
_RETRY_SECONDS = 1.0


class _Server(socketserver.ThreadingTCPServer):
    """Answers messages until it is stopped."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host, port):
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._slots = threading.Semaphore(CONNECTIONS)
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise OSError(f"host={host!r}, port={port}: {error.strerror}") from error
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self):
        """The port it listens on."""
        return self.server_address[1]

    def join(self):
        """Waits until the server is stopped."""
        while self._thread.is_alive():
            self._thread.join(1.0)

    def stop(self):
        """Stops the server; connections end when their clients close them."""
        self.shutdown()
        self.server_close()

    def process_request(self, request, client_address):
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def answer(self, connection, content, arrays):
        """Answers a message on its connection."""
        raise NotImplementedError

    def closed(self, connection):
        """Called when a connection has ended."""


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        wire.keep_alive(self.request)
        try:
            while True:
                content, arrays = wire.receive(self.request)
                if not isinstance(content, dict):
                    raise wire.WireError(f"received {content!r:.100}, expected a request")
                self.server.answer(self.request, content, arrays)
        except wire.WireError as error:
            logging.warning("%s sent an invalid request: %s", self.client_address[0], error)
            with contextlib.suppress(OSError):
                wire.send(self.request, {"error": str(error)})
        except OSError:
            pass  # the client is gone
        finally:
            self.server.closed(self.request)


class Dispatcher(_Server):
    """Tracks the workers; see `serve_dispatcher`.

    Attributes:
        target: its address, for workers and clients on this machine.
    """

    def __init__(self, host, port):
        self._workers = {}
        super().__init__(host, port)
        self.target = f"{host}:{self.port}"

    def answer(self, connection, content, arrays):
        match content:
            case {"ask": "register", "address": str(address)}:
                try:
                    wire.parse_address(address)
                except ValueError as error:
                    raise wire.WireError(str(error)) from error
                self._workers[connection] = address
                wire.send(connection, {"registered": address})
            case {"ask": "workers"}:
                wire.send(connection, {"workers": sorted({*self._workers.copy().values()})})
            case _:
                raise wire.WireError(f"received {content!r:.200}, expected a request")

    def closed(self, connection):
        self._workers.pop(connection, None)


class Worker(_Server):
    """Reads and prepares clips; see `serve_worker`."""

    def __init__(self, dispatcher, address, host, port, root, known):
        self._known = (*KNOWN, *known)
        self._root = None if root is None else Path(root).resolve()
        self._readers = functools.lru_cache(maxsize=8)(self._make_reader)
        self._opened = {}
        super().__init__(host, port)
        self._address = (address or f"{host}:%port%").replace("%port%", str(self.port))
        wire.parse_address(dispatcher)
        self._registered = threading.Event()
        threading.Thread(target=self._stay_registered, args=(dispatcher,), daemon=True).start()

    def wait(self, seconds=30.0):
        """Waits until the worker is registered with the dispatcher; returns whether it is."""
        return self._registered.wait(seconds)

    def _stay_registered(self, dispatcher):
        """Registers again whenever the connection, and with it the registration, is lost."""
        while self._thread.is_alive():
            with contextlib.suppress(OSError, wire.WireError), wire.connect(dispatcher) as line:
                wire.send(line, {"ask": "register", "address": self._address})
                wire.receive(line)
                self._registered.set()
                line.settimeout(None)
                wire.receive(line)  # no message follows: this waits for the connection to end
            time.sleep(_RETRY_SECONDS)

    def answer(self, connection, content, arrays):
        try:
            match content:
                case {"ask": "open", "reader": dict(spec)}:
                    self._opened[connection] = self._readers(json.dumps(spec, sort_keys=True))
                    reply = {"opened": True}, ()
                case {"ask": "example", "epoch": int(epoch), "index": int(index), "record": record}:
                    reader, transform = self._opened[connection]
                    reply = self._example(reader, transform, epoch, index, record)
                case _:
                    raise ValueError(f"received {content!r:.200}, expected a request")
        except Exception as error:  # any error of the request or its example is sent back
            reply = (
                {"error": str(error) or repr(error), "decoding": isinstance(error, DecodeError)},
                (),
            )
        wire.send(connection, *reply)

    def _make_reader(self, text):
        """Reader and transform from a description by `served_dataset`."""
        spec = decode(json.loads(text), self._known)
        sampling = spec["sampling"]
        facts = dataclasses.asdict(sampling) | {"sampler": type(sampling).__name__}
        check_limits({"sampling": facts}, "reader")
        check_options(spec["on_error"], spec["seed"])
        classes = spec["classes"]
        if classes is not None and not 0 < classes < 1_000_000:
            raise ValueError(f"received classes={classes!r}, expected a number of classes")
        reader = ClipReader(
            (), sampling, spec["training"], spec["seed"], classes, spec["on_error"],
            DecodeReport(), spec["source"],
        )  # fmt: skip
        transform = video_transform(spec["transforms"], spec["view_frames"], spec["training"])
        return reader, tf.function(transform, input_signature=example_specs(reader))

    def _example(self, reader, transform, epoch, index, record):
        record = decode(record, (Record,))
        self._check_path(record.path, reader.source)
        example = dataclasses.replace(reader, records=(record,)).read(epoch, index)
        reader.report.log()
        if not example.decoded:
            return {"decoded": False}, ()
        clip, label = transform(example.frames, example.label, example.seed)
        return {"decoded": True}, (clip.numpy(), label.numpy())

    def _check_path(self, path, source):
        if self._root is None:
            return
        inside = Path(path).resolve().is_relative_to(self._root)
        if not inside or ".." in str(getattr(source, "template", "")):
            raise ValueError(f"received the path {path!r}, expected one in {self._root}")

    def closed(self, connection):
        self._opened.pop(connection, None)


def example_specs(reader):
    """Specs of the inputs of the transforms: frames, label, seed."""
    labels = ([], tf.int32) if reader.classes is None else ([reader.classes], tf.float32)
    return (
        tf.TensorSpec(reader.shape, reader.source.dtype),
        tf.TensorSpec(*labels),
        tf.TensorSpec([2], tf.int32),
    )


def zeros_like_specs(specs):
    """Zeros in place of an example that failed to decode."""
    return [
        np.zeros([size or 0 for size in spec.shape], spec.dtype.as_numpy_dtype) for spec in specs
    ]
