"""Writing of frames to a video file."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# Enough for the 30000/1001 of NTSC, and within the limits of MPEG-4.
_GREATEST_DENOMINATOR = 1001
# Fine enough for variable frame rates, and within the limits of MPEG-4.
_FINE_CLOCK = Fraction(1, 60_000)
# AVI has no timestamps: every tick without a frame is stored as a repeated frame.
_AVI_CLOCK = Fraction(1, 120)
_QUALITY = {
    # The same frames give the same file, which x264's AVX-512 code does not guarantee.
    "libx264": {"crf": "20", "preset": "veryfast", "x264-params": "cpu-independent=1"},
    "mpeg4": {"qmin": "3", "qmax": "5"},
    "vp9": {"crf": "32", "b": "0", "cpu-used": "6"},
}


class VideoWriter:
    """Encodes frames sequentially; a context manager.

    The file appears under its name when it is complete; when the block ends with an error, no
    file is left.

    Args:
        path: the file; its suffix determines the container, such as `.mp4`, `.mkv` or `.avi`.
        rate: frames per second.
        audio: function that creates the audio track: called with the container, it returns an
            object whose `packets()` are pairs of seconds and a list of packets, in order; `None`
            writes no audio.

    Raises:
        ValueError: for a rate that is not positive, or a suffix without an FFmpeg
            container.
    """

    def __init__(self, path, rate, audio=None):
        if not rate > 0:
            raise ValueError(f"rate={rate!r}: expected frames per second above 0")
        self.path = Path(path)
        self._rate = Fraction(rate).limit_denominator(_GREATEST_DENOMINATOR)
        self._partial = self.path.with_name(f".{self.path.stem}_partial{self.path.suffix}")
        self._container = self._stream = None
        self._audio, self._packets, self._waiting = audio, iter(()), None
        self._clock, self._timed = 1 / self._rate, False
        self._count, self._last = 0, (-1, -1.0)

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._container = av.open(os.fspath(self._partial), "w")
        except (av.error.FFmpegError, ValueError) as error:
            raise ValueError(
                f"cannot write {self.path}: {error}; expected an ending such as .mp4"
            ) from error
        return self

    def write(self, image, seconds=None):
        """Appends a frame, uint8 RGB `(height, width, 3)`; an odd side loses its last line.

        Args:
            image: the frame.
            seconds: its presentation time, for variable frame rates; pass it with all frames or
                with none.

        Raises:
            ValueError: for a frame of another type or of another size than the first, or that
                is not later than the previous one.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
            raise ValueError(
                f"a frame of shape {image.shape} and type {image.dtype}: expected uint8 "
                "(height, width, 3)"
            )
        height, width = (side // 2 * 2 for side in image.shape[:2])
        if self._stream is None:
            self._timed = seconds is not None
            if self._timed:
                is_avi = self._container.format.name == "avi"
                self._clock = _AVI_CLOCK if is_avi else _FINE_CLOCK
            self._stream = self._add_stream(height, width)
        if (self._stream.height, self._stream.width) != (height, width):
            raise ValueError(
                f"frame {self._count} has {height}x{width} pixels (height x width), expected "
                f"{self._stream.height}x{self._stream.width} as the first"
            )
        pixels = np.ascontiguousarray(image[:height, :width])
        frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
        stamp = self._timestamp(seconds)
        frame.pts, frame.time_base = stamp, self._clock
        self._container.mux(self._stream.encode(frame))
        self._add_audio(float(stamp * self._clock))
        self._count += 1

    def _add_audio(self, until):
        """Writes the audio up to this time, after the frames, whose encoder is then open."""
        while self._waiting is not None and self._waiting[0] <= until:
            self._container.mux(self._waiting[1])
            self._waiting = next(self._packets, None)

    def _timestamp(self, seconds):
        if (seconds is None) == self._timed or (self._timed and not seconds > self._last[1]):
            raise ValueError(
                f"frame {self._count}: received seconds={seconds}, expected a later time than that "
                "of the frame before, or None for all frames"
            )
        stamp = self._count if seconds is None else round(seconds / self._clock)
        self._last = max(stamp, self._last[0] + 1), seconds
        return self._last[0]

    def __exit__(self, kind, error, trace):
        try:
            if kind is None and self._stream is None:
                raise ValueError(f"{self.path}: no frame was written")
            if kind is None:
                self._container.mux(self._stream.encode())
                self._add_audio(np.inf)
            self._container.close()
            if kind is None:
                self._partial.replace(self.path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _add_stream(self, height, width):
        codec = self._codec()
        stream = self._container.add_stream(codec, rate=self._rate)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.time_base = self._clock
        stream.options = _QUALITY.get(codec, {})
        if self._container.format.name == "avi":
            # Readers guess the display order if it differs from the storage order.
            stream.options = {**stream.options, "bf": "0"}
        if self._audio is not None:
            self._packets = iter(self._audio(self._container).packets())
            self._waiting = next(self._packets, None)
        return stream

    def _codec(self):
        """H.264 or MPEG-4 if the container supports it, otherwise its default codec."""
        taken = self._container.supported_codecs
        if "h264" in taken and "libx264" in av.codecs_available:
            return "libx264"
        return "mpeg4" if "mpeg4" in taken else self._container.default_video_codec
