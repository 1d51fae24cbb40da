"""Live frames from a camera, a stream URL, or a file played in real time."""

import collections
import platform
import threading
import time
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .frame_index import usual_rate
from .opening import MAX_PIXELS, choose_video_stream, decoded, is_address, open_container
from .videos import DecodeError, to_rgb

# FFmpeg's input devices: their name, and the name of the camera with a number.
_DEVICES = {
    "Linux": ("v4l2", "/dev/video{}"),
    "Darwin": ("avfoundation", "{}"),
    "Windows": ("dshow", "video={}"),
}


class LiveFrame(NamedTuple):
    """A frame and its time of arrival.

    Attributes:
        image: uint8 RGB `(height, width, 3)`.
        arrived: `time.monotonic()` after it was decoded.
    """

    image: np.ndarray
    arrived: float


def live_frames(source):
    """Decodes a live source.

    Args:
        source: the number of a camera ("0"), a device ("/dev/video0"), an address ("rtsp://..."),
            or a video file, whose frames arrive at playback speed.

    Yields:
        `LiveFrame`.

    Raises:
        DecodeError: the source cannot be opened or fails.
    """
    source = str(source)
    reformatter = VideoReformatter()
    paced = Path(source).is_file()
    start = time.monotonic()
    try:
        with _opened_source(source) as container:
            stream = choose_video_stream(container)
            if stream is None:
                raise DecodeError(source, "it has no video stream that can be decoded")
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            rate, first = float(usual_rate(stream)), None
            for number, frame in enumerate(decoded(container, stream)):
                first = frame.time if first is None else first
                shown = number / rate if frame.time is None else frame.time - (first or 0.0)
                if paced:
                    time.sleep(max(0.0, start + shown - time.monotonic()))
                yield LiveFrame(to_rgb(reformatter, None, frame), time.monotonic())
    except (av.error.FFmpegError, OSError) as error:
        raise DecodeError(source, error.strerror or str(error)) from error


def check_live_source(source):
    """Checks that a camera, device or file exists; URLs are not checked.

    Raises:
        DecodeError: it does not, naming the available cameras.
    """
    source = str(source)
    if is_address(source):
        return
    if source.isdigit() or source.startswith("/dev/"):
        device, name = _DEVICES.get(platform.system(), (None, None))
        if device is None:
            raise DecodeError(source, f"cameras have no numbers on {platform.system()}")
        if device == "v4l2":
            path = name.format(source) if source.isdigit() else source
            if not Path(path).exists():
                raise DecodeError(source, _no_camera(path))
    elif not Path(source).exists():
        raise DecodeError(source, "there is no such file; expected a camera's number, a device, "
                          "an address such as rtsp://..., or a video file")  # fmt: skip


def _no_camera(path):
    cameras = sorted(str(path) for path in Path("/dev").glob("video*"))
    return (
        f"there is no camera at {path}; cameras: {', '.join(cameras) or 'none'}; expected one of "
        "them, an address such as rtsp://..., or a video file"
    )


def _opened_source(source):
    device, name = _DEVICES.get(platform.system(), (None, None))
    check_live_source(source)
    if source.isdigit():
        return av.open(name.format(source), format=device)
    if source.startswith("/dev/"):
        return av.open(source, format=device)
    return open_container(source, allow_url=True)


class LatestFrames:
    """The latest frames of a live source, decoded in a separate thread.

    When frames arrive faster than they are consumed, the oldest are dropped: a consumed frame is at
    most `capacity` frames old. A context manager and an iterator, which ends with the source.

    Args:
        frames: iterable of frames, such as `live_frames`.
        capacity: maximum number of queued frames.

    Attributes:
        dropped: number of dropped frames.

    Raises:
        ValueError: if `capacity` is below 1.
    """

    def __init__(self, frames, capacity=2):
        if capacity < 1:
            raise ValueError(f"capacity={capacity!r}: expected at least 1 frame")
        self.dropped = 0
        self._frames = frames
        self._waiting = collections.deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._ended = self._stopped = False
        self._error = None
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stopped = True
        # A stalled camera would block the thread, which then ends with the process.
        self._thread.join(timeout=2)

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                return self._waiting.popleft()
            if self._error is not None:
                raise self._error
            raise StopIteration

    def _run(self):
        try:
            for frame in self._frames:
                if self._stopped:
                    break
                self._add(frame)
        except Exception as error:  # noqa: BLE001  (raised again in the consumer)
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _add(self, frame):
        with self._changed:
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(frame)
            self._changed.notify_all()
